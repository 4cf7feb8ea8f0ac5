#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "llm/added_tokens.h"
#include "llm/bert_normalizer.h"
#include "llm/tokenizer.h"

namespace ragstone::llm {

// What a WordPiece tokeniser is made of.
struct WordPieceOptions {
  std::vector<std::pair<std::string, int32_t>> vocabulary;
  std::vector<AddedToken> added;
  BertNormalizerOptions normalizer;
  std::string unknown = "[UNK]";
  std::string continuation = "##";
  uint32_t word_chars_max = 100;
  std::vector<int32_t> before, after;  // around every text, such as [CLS] and [SEP]
};

// BERT's WordPiece, ids equal to those of Hugging Face's `tokenizers`; DATA_LOSS (MODEL_CORRUPT) if
// the vocabulary lacks the unknown token or has negative ids. The text is never truncated: the
// limit is the model's, and the caller's to keep.
Result<std::unique_ptr<Tokenizer>> NewWordPieceTokenizer(WordPieceOptions options);

}  // namespace ragstone::llm

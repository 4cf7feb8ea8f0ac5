#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "llm/added_tokens.h"
#include "llm/text_normalizer.h"
#include "llm/tokenizer.h"

namespace ragstone::llm {

// Cuts at white space, which is lost.
struct WhitespaceSplit {};

// Turns spaces into `replacement`, puts one in front, and cuts before each.
struct Metaspace {
  enum class Prepend {
    kAlways,
    kFirst,  // only to the stretch that begins the text
    kNever,
  };
  std::string replacement = "\xE2\x96\x81";
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};

using SplitStep = std::variant<WhitespaceSplit, Metaspace>;

// What a Unigram tokeniser is made of.
struct UnigramOptions {
  std::vector<std::pair<std::string, double>> vocabulary;  // piece and score; the place is the id
  int32_t unknown = 0;
  bool byte_fallback = false;  // unknown text becomes the pieces <0x00> … <0xFF> if all exist
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizers;
  std::vector<SplitStep> splitters;
  std::vector<int32_t> before, after;  // around every text, such as <s> and </s>
};

// SentencePiece's Unigram, ids equal to those of Hugging Face's `tokenizers`; DATA_LOSS
// (MODEL_CORRUPT) if the unknown token is not in the vocabulary. The text is never truncated: the
// limit is the model's, and the caller's to keep. Invalid UTF-8 reads as U+FFFD.
Result<std::unique_ptr<Tokenizer>> NewUnigramTokenizer(UnigramOptions options);

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// How a model's text is cut into tokens.
enum class TokenizerKind : uint8_t { kWordPiece, kUnigram };

// What the files of a sentence-transformers folder beside the weights say about a BERT model or one
// of XLM-RoBERTa, which is BERT but for its tokeniser and for where positions begin.
struct SentenceTransformer {
  std::string name;
  std::string license;  // of README.md, empty if it names none
  uint32_t layers = 0;
  uint32_t heads = 0;
  uint32_t hidden = 0;
  uint32_t intermediate = 0;
  uint32_t positions = 0;  // rows of the position table
  // The row of a text's first token. XLM-RoBERTa counts from behind the number of its padding
  // token, so that the rows before are never read.
  uint32_t first_position = 0;
  uint32_t token_types = 0;
  uint32_t vocabulary = 0;
  float norm_epsilon = 0;
  std::string pooling;  // "mean" or "cls"
  bool normalize = false;
  uint32_t tokens_max = 0;  // special tokens included
  TokenizerKind tokenizer = TokenizerKind::kWordPiece;
  std::vector<std::string> tokens;  // by id; of WordPiece only
};

// Reads config.json, modules.json, the pooling's config.json, sentence_bert_config.json,
// tokenizer.json or vocab.txt, and README.md. The files may be anything. INVALID_ARGUMENT:
// MODEL_UNSUPPORTED for a model of neither kind or with another pooling, MODEL_CORRUPT for
// malformed or contradictory files, each naming file and field; NOT_FOUND for missing ones.
Result<SentenceTransformer> ReadSentenceTransformer(const std::filesystem::path& folder);

// The name of a tensor of its model.safetensors without the model's, "bert." or "roberta.", which
// some exports put before it.
std::string_view WithoutModelName(std::string_view tensor);

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// What the files of a sentence-transformers folder beside the weights say about a BERT model.
struct SentenceTransformer {
  std::string name;
  std::string license;  // of README.md, empty if it names none
  uint32_t layers = 0;
  uint32_t heads = 0;
  uint32_t hidden = 0;
  uint32_t intermediate = 0;
  uint32_t positions = 0;  // rows of the position table
  uint32_t token_types = 0;
  uint32_t vocabulary = 0;
  float norm_epsilon = 0;
  std::string pooling;  // "mean" or "cls"
  bool normalize = false;
  uint32_t tokens_max = 0;          // special tokens included
  std::vector<std::string> tokens;  // by id
};

// Reads config.json, modules.json, the pooling's config.json, sentence_bert_config.json,
// tokenizer.json or vocab.txt, and README.md. The files may be anything. INVALID_ARGUMENT:
// MODEL_UNSUPPORTED for a model that is no BERT or pools otherwise, MODEL_CORRUPT for malformed or
// contradictory files, each naming file and field; NOT_FOUND for missing ones.
Result<SentenceTransformer> ReadSentenceTransformer(const std::filesystem::path& folder);

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// Turns text into the token ids of a model. Thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Ids with the model's special tokens around them ([CLS] … [SEP]).
  virtual std::vector<int32_t> Encode(std::string_view text) const = 0;
  // Number of ids without the special tokens.
  virtual uint32_t Count(std::string_view text) const = 0;
  virtual uint32_t vocabulary() const = 0;
};

// Loads the tokeniser of a model folder: `tokenizer.json` (Hugging Face), or `vocab.txt` with
// `tokenizer_config.json`. BERT's WordPiece and SentencePiece's Unigram are built; for anything
// else MODEL_UNSUPPORTED names what was found.
Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::filesystem::path& folder);

}  // namespace ragstone::llm

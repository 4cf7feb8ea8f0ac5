#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "llm/bert_normalizer.h"
#include "llm/tokenizer.h"

namespace ragstone::llm {

// A token that is recognised in the text before it is split into words.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool normalized = false;  // looked for in the normal form instead of the raw text
  bool lstrip = false;      // swallows the white space before it
  bool rstrip = false;      // swallows the white space behind it
};

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

// Finds the longest key that begins a text. A double-array trie. Immutable after Build.
class PieceTrie {
 public:
  // `keys` must be sorted, without duplicates and not empty strings; values are not negative.
  static PieceTrie Build(const std::vector<std::pair<std::string, int32_t>>& keys);

  struct Match {
    int32_t value = -1;  // -1: no key begins the text
    size_t length = 0;
  };
  Match Longest(std::string_view text) const {
    Match match;
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const uint32_t next = nodes_[node].base + static_cast<unsigned char>(text[i]);
      if (nodes_[next].parent != node) break;
      node = next;
      if (nodes_[node].value >= 0) match = {nodes_[node].value, i + 1};
    }
    return match;
  }

 private:
  struct Node {
    uint32_t base = 0;
    uint32_t parent = UINT32_MAX;
    int32_t value = -1;
  };
  std::vector<Node> nodes_;
};

// BERT's WordPiece, ids equal to those of Hugging Face's `tokenizers`; DATA_LOSS (MODEL_CORRUPT) if
// the vocabulary lacks the unknown token or has negative ids. The text is never truncated: the
// limit is the model's, and the caller's to keep.
Result<std::unique_ptr<Tokenizer>> NewWordPieceTokenizer(WordPieceOptions options);

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// Finds the keys that begin a text. A double-array trie. Immutable after Build.
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
    ForEachPrefix(text, [&](int32_t value, size_t length) { match = {value, length}; });
    return match;
  }

  // The value of the key that is all of `text`; -1: there is none.
  int32_t Find(std::string_view text) const {
    const Match match = Longest(text);
    return match.length == text.size() ? match.value : -1;
  }

  // Calls `found(value, length)` for each key that begins `text`, shortest first.
  template <typename Found>
  void ForEachPrefix(std::string_view text, const Found& found) const {
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const uint32_t next = nodes_[node].base + static_cast<unsigned char>(text[i]);
      if (nodes_[next].parent != node) break;
      node = next;
      if (nodes_[node].value >= 0) found(nodes_[node].value, i + 1);
    }
  }

 private:
  struct Node {
    uint32_t base = 0;
    uint32_t parent = UINT32_MAX;
    int32_t value = -1;
  };
  std::vector<Node> nodes_;
};

// The trie of tokens in any order; of equal ones the first counts, empty ones do not. DATA_LOSS
// (MODEL_CORRUPT) names a token with a negative id.
Result<PieceTrie> TrieOf(std::vector<std::pair<std::string, int32_t>> tokens);

}  // namespace ragstone::llm

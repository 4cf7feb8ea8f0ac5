#pragma once

#include <cctype>

#include "ingest/chunker.h"

namespace ragstone::ingest {

// One token for each run of letters or digits and one for each other visible byte.
class WordCounter : public TokenCounter {
 public:
  uint32_t Count(std::string_view text) const override {
    uint32_t tokens = 0;
    bool in_word = false;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      const bool word = std::isalnum(byte) || byte >= 0x80;
      if (std::isspace(byte)) {
        in_word = false;
      } else if (!word || !in_word) {
        ++tokens;
        in_word = word;
      }
    }
    return tokens;
  }
};

// Counts pieces of four bytes of the whole text, so that parts do not add up: "ab" + "cd" is less
// than the sum of its parts, and a joint may also cost more.
class PieceCounter : public TokenCounter {
 public:
  uint32_t Count(std::string_view text) const override {
    return static_cast<uint32_t>(text.size() / 4 + (text.size() % 4 == 1 ? 2 : 1));
  }
};

}  // namespace ragstone::ingest

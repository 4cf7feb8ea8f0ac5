#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::index {

// One word of a text.
struct TextWord {
  std::string folded;  // NFKC, case-folded
  std::string term;    // what is indexed: the stem, or `folded` where there is none
};

// What keyword search sees of a text.
struct TextTerms {
  std::vector<TextWord> words;  // in order; their number is the text's length
  // Runs without blanks such as "err-4012", "/var/log/syslog" or "eth0:1", whole, as terms of their
  // own that begin with '='. They are found beside their words and do not count for the length.
  std::vector<std::string> compounds;
};

// Splits UTF-8 at the word boundaries of Unicode (dictionaries for Chinese, Japanese and Thai
// included), folds and stems (Snowball English). Invalid UTF-8 separates words. Terms are at most
// kTermBytesMax long; a longer one is cut and ends in a hash of the whole.
Result<TextTerms> SplitTerms(std::string_view text);

inline constexpr size_t kTermBytesMax = 80;

}  // namespace ragstone::index

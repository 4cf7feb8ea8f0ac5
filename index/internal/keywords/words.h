#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/internal/keywords/languages.h"

namespace ragstone::index::keywords {

// One word of a text.
struct TextWord {
  std::string folded;  // NFKC, case-folded
  std::string term;    // what is indexed: the stem, or `folded` where there is none
};

// A part of a word with dots or underscores.
struct TextPart {
  size_t word = 0;  // its place among the words
  TextWord part;
};

// What keyword search sees of a text.
struct TextTerms {
  std::vector<TextWord> words;  // in order; their number is the text's length
  // Found beside the words, without counting for the length: parts of words, in order, and runs
  // without blanks such as "err-4012", "/var/log/syslog" or "eth0:1", whole and their obvious
  // parts, as terms that begin with '='.
  std::vector<TextPart> parts;
  std::vector<std::string> exact;
};

// Splits UTF-8 at the word boundaries of Unicode (dictionaries for Chinese, Japanese and Thai
// included), folds and stems. Invalid UTF-8 separates words. Terms are at most kTermBytesMax long;
// a longer one is cut and ends in a hash of the whole. Thread-safe.
Result<TextTerms> SplitTerms(std::string_view text, Language language = Language());

inline constexpr size_t kTermBytesMax = 80;
// First bytes of terms that are not plain words; no word begins with one.
inline constexpr char kExactMark = '=';
inline constexpr char kFoldedMark = '~';  // a word as it is written, where its stem differs

// Whether the places of a term in the texts are kept, so that phrases can hold it.
inline bool HasPositions(std::string_view term) {
  return term[0] != kExactMark && term[0] != kFoldedMark;
}

// Cuts a term to kTermBytesMax.
std::string BoundedTerm(std::string term);
// How much of a term stays at least when it is cut, in bytes: where a character ends.
inline constexpr size_t kTermKeptMin = kTermBytesMax - 16 - 3;
// The beginning of the whole term that a bounded one tells of: all of it, unless it may be cut.
std::string_view KnownPart(std::string_view term);

}  // namespace ragstone::index::keywords

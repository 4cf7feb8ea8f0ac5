#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ragstone::index::keywords {

// Code units [begin, end) of a folded text.
struct Span {
  int32_t begin = 0, end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// Finds what is looked for as a whole: ids, error codes, paths, addresses, versions, times.
//
// An exact run is one without blanks that holds, between its first and last letter or digit, a
// character that is neither, and somewhere a digit or one of _ / \ : @ - so that "and/or" is one,
// "end." is not. It is taken from its first to its last letter or digit. Its obvious parts are
// given beside it if they are exact runs themselves: what lies between = , ; quotes, brackets and
// "://"
// ("user=ab-1,ip=10.0.0.1:80"), and between the slashes of these ("hdfs/10.0.0.1:80/x.log").
std::vector<Span> ExactRuns(std::u16string_view text);

// The parts of a word between its dots, underscores and colons, two characters or longer, when it
// has letters: "org.apache.hadoop" has three. Empty if it has none.
std::vector<Span> WordParts(std::u16string_view text, Span word);

}  // namespace ragstone::index::keywords

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/internal/keywords/languages.h"

namespace ragstone::index::keywords {

// What a text asks for.
struct ParsedQuery {
  struct Term {
    std::string text;
    uint32_t count = 0;  // in the query
  };
  struct Phrase {
    std::vector<std::string> terms;  // two or more, one after the other
  };
  std::vector<Term> terms;
  std::vector<Phrase> phrases;
  std::vector<std::string> prefixes;  // of words, or of exact terms if they begin with '='
};

// Words and exact terms of the text. What stands in quotation marks ("...", “...”) is a phrase
// beside its words, if it has two words or more. A word of two or more characters, or an exact
// term, with a star right behind it and then a blank, punctuation or the end is a prefix; of an
// exact term over 80 bytes the first 61 or more. At most 1024 different terms and 32 phrases and
// prefixes; what is beyond is not looked for.
Result<ParsedQuery> ParseQuery(std::string_view text, Language language);

}  // namespace ragstone::index::keywords

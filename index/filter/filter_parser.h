#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "index/filter/filter.h"

namespace ragstone::index {

// Parses the language of docs/FILTERS.md; text without words is the filter that matches everything.
// INVALID_ARGUMENT: "filter, column 9: expected …, found …", columns 1-based in code points;
// LIMIT_EXCEEDED is the reason if a limit was passed. Names of fields are not looked at:
// BindFilter does.
Result<Filter> ParseFilter(std::string_view text, const FilterLimits& limits);
inline Result<Filter> ParseFilter(std::string_view text) { return ParseFilter(text, {}); }

// Writes a filter in the language, in one line: ParseFilter gives the same filter back, and
// BindFilter of that the same as of the filter itself.
std::string PrintFilter(const Filter& filter);

}  // namespace ragstone::index

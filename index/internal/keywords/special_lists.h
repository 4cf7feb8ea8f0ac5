#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "index/internal/keywords/segment.h"

namespace ragstone::index::keywords {

// Lists that are made for one query and then searched as those of a term. They hold no hidden rows.
// Null if they are empty.

// The rows with the terms one after the other, and how often.
Result<std::shared_ptr<const LoadedList>> PhraseList(const Segment& segment,
                                                     const std::vector<std::string>& terms,
                                                     const HiddenRows& hidden);

// The rows with a word (or exact term, if it begins with '=') that begins with the prefix, as it is
// written or as its stem is. INVALID_ARGUMENT (LIMIT_EXCEEDED) if more than 16384 terms do.
Result<std::shared_ptr<const LoadedList>> PrefixList(const Segment& segment,
                                                     std::string_view prefix,
                                                     const HiddenRows& hidden);

}  // namespace ragstone::index::keywords

#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/call_context.h"
#include "index/internal/keywords/segment.h"

namespace ragstone::index::keywords {

// Lists that are made for one query and then searched as those of a term. They hold no hidden rows.
// Null if they are empty. Making them takes at most eight bytes of memory for each row of the
// segment beside the list, and ends with the context's status once that is not OK.

// Where such a list is made, and for whom.
struct ListSource {
  const Segment& segment;
  const HiddenRows& hidden;
  const CallContext& context;
};

// The rows with the terms one after the other, and how often.
Result<std::shared_ptr<const LoadedList>> PhraseList(const ListSource& source,
                                                     const std::vector<std::string>& terms);

// The different terms that one prefix stands for, over all segments of an index, so that merging
// them changes nothing.
class PrefixTerms {
 public:
  // INVALID_ARGUMENT (LIMIT_EXCEEDED) if that makes more than 16384 words, or as many forms of
  // them.
  Status Add(std::string_view prefix, std::string_view term);

 private:
  std::array<std::unordered_set<uint64_t>, 2> seen_;  // stems and words as written, by hash
};

// The rows with a word (or exact term, if it begins with '=') that begins with the prefix, as it is
// written or as its stem is. Of a word whose term was cut, what was kept decides.
Result<std::shared_ptr<const LoadedList>> PrefixList(const ListSource& source,
                                                     std::string_view prefix, PrefixTerms* terms);

// Appends the rows, hidden or not, that are in all lists of a segment; none if one is null.
Status AppendCommonRows(const Segment& segment,
                        std::span<const std::shared_ptr<const LoadedList>> lists,
                        const CallContext& context, std::vector<RowId>* rows);

}  // namespace ragstone::index::keywords

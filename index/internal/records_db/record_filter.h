#pragma once

#include "base/call_context.h"
#include "index/filter/filter.h"
#include "index/internal/fields/row_set.h"
#include "index/internal/records_db/record_reader.h"
#include "index/internal/records_db/record_state.h"

namespace ragstone::index::records {

inline bool MatchesAll(const Filter& filter) {
  return filter.kind == FilterKind::kAnd && filter.children.empty();
}

// The rows of a state that a bound filter matches. Indexes must be loaded; what they do not know is
// checked on payloads.
Result<fields::RowSet> MatchRows(const Store& store, const CollectionState& state,
                                 const Filter& filter, const CallContext& context);

// Whether a page of at most `limit` matches, ordered by id, is made sooner by reading and sorting
// all matches than by looking at the collection's ids in order, over all pages of the scroll.
bool SortsMatches(uint64_t matches, uint64_t records, size_t limit);

}  // namespace ragstone::index::records

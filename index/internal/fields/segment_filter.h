#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/call_context.h"
#include "index/filter/filter.h"
#include "index/internal/fields/field_segment.h"
#include "index/internal/fields/row_set.h"

namespace ragstone::index::fields {

// The rows of each has_id node of a filter, ascending.
using ResolvedIds = std::unordered_map<const Filter*, std::vector<RowId>>;

// The rows of a `match` node, as keyword search knows them.
struct TextRows {
  RowSet rows;
  bool exact = false;  // else some of them may not match, but no others do
};
// Of the nodes that are known.
using ResolvedTexts = std::unordered_map<const Filter*, TextRows>;

// What a filter selects of one segment. Rows in neither set do not match.
struct Selection {
  Roaring sure;    // match
  Roaring unsure;  // may match: the index does not know, the payload does
};

// What a filter needs beside a segment.
struct FilterContext {
  const Schema& schema;
  const ResolvedIds& ids;
  const ResolvedTexts& texts;
  const CallContext& call;
};

// Evaluates a bound filter on the live rows of a segment. `universe` holds them. Fails with the
// call's status only, which is looked at before each condition.
Result<Selection> SelectRows(const Filter& filter, const SegmentRef& ref, const Roaring& universe,
                             const FilterContext& context);

}  // namespace ragstone::index::fields

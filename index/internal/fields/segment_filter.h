#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "index/filter/filter.h"
#include "index/internal/fields/field_segment.h"
#include "index/internal/fields/row_set.h"

namespace ragstone::index::fields {

// The rows of each has_id node of a filter, ascending.
using ResolvedIds = std::unordered_map<const Filter*, std::vector<RowId>>;

// What a filter selects of one segment. Rows in neither set do not match.
struct Selection {
  Roaring sure;    // match
  Roaring unsure;  // may match: the index does not know, the payload does
};

// What a filter needs beside a segment.
struct FilterContext {
  const Schema& schema;
  const ResolvedIds& ids;
};

// Evaluates a bound filter on the live rows of a segment. `universe` holds them.
Selection SelectRows(const Filter& filter, const SegmentRef& ref, const Roaring& universe,
                     const FilterContext& context);

// How many rows a filter matches. lower <= truth <= upper.
struct FieldEstimate {
  uint64_t lower = 0;
  uint64_t upper = 0;
  double expected = 0;  // if conditions were independent of each other
};

// The same as a count, from the lengths of lists: no bitmap is made.
FieldEstimate EstimateRows(const Filter& filter, const SegmentRef& ref,
                           const FilterContext& context);

}  // namespace ragstone::index::fields

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "index/internal/fields/field_segment.h"
#include "index/internal/fields/row_set.h"
#include "index/internal/fields/segment_filter.h"

namespace ragstone::index::fields {

// Rows that a filter matches, as far as the index knows. The two sets have no row in common.
struct FieldMatches {
  RowSet sure;    // match
  RowSet unsure;  // to be checked with PayloadMatcher: a text, or a field without an index, decides
};

// Gives the row of an id of has_id; nullopt if there is none. Without one, numbers are rows.
using IdResolver = std::function<std::optional<RowId>(const PointId& id)>;

// Gives what keyword search knows of a `match` node; nullopt if that is nothing.
using TextResolver = std::function<Result<std::optional<TextRows>>(const Filter& match)>;

// What an evaluation asks others for.
struct FieldLookups {
  IdResolver ids;
  TextResolver texts;  // may be empty
  CallContext context;
};

// One state of a FieldIndex. Immutable and thread-safe; holding one keeps its memory.
class FieldSnapshot {
 public:
  FieldSnapshot(std::shared_ptr<const Schema> schema, std::vector<SegmentRef> segments);

  uint64_t rows() const { return rows_; }
  bool Contains(RowId row) const;
  RowSet AllRows() const;

  // `filter` comes from BindFilter with the index's schema. Fails with what the lookups fail with.
  Result<FieldMatches> FindMatches(const Filter& filter, const FieldLookups& lookups) const;
  // The same for a small index, without a deadline and keyword search.
  FieldMatches Evaluate(const Filter& filter, const IdResolver& resolve) const;

  size_t MemoryBytes() const;
  const Schema& schema() const { return *schema_; }
  const std::vector<SegmentRef>& segments() const { return segments_; }

  // For FieldIndex::Load, in the form of docs/FORMAT.md; each segment carries its checksum.
  std::string Encode() const;
  // DATA_LOSS (DATA_CORRUPT) for bytes that Encode did not write.
  static Result<std::vector<SegmentRef>> Decode(std::string_view bytes);

 private:
  std::shared_ptr<const Schema> schema_;
  std::vector<SegmentRef> segments_;
  uint64_t rows_ = 0;
};

}  // namespace ragstone::index::fields

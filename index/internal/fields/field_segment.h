#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/filter/payload.h"
#include "index/internal/fields/columns.h"

namespace ragstone::index::fields {

class FieldSegment;

// A segment as one state of the index sees it: rows are only ever added to `dead`, in a copy.
struct SegmentRef {
  std::shared_ptr<const FieldSegment> segment;
  std::shared_ptr<const Roaring> dead;  // rows of the segment that were removed; may be null
  uint64_t live = 0;                    // rows that were not
};

// The indexed fields of rows that share the high 32 bits of their ids. Rows are given by the
// low 32. Immutable and thread-safe.
class FieldSegment {
 public:
  struct Row {
    uint32_t low = 0;
    const Payload* payload = nullptr;  // normalised
  };

  // The rows are distinct.
  static std::shared_ptr<const FieldSegment> Build(const Schema& schema, uint32_t high,
                                                   std::span<const Row> rows);
  // The live rows of several segments with the same high bits; no row lives in two of them. Fields
  // that one of them does not know are left out.
  static std::shared_ptr<const FieldSegment> Merge(const Schema& schema,
                                                   std::span<const SegmentRef> segments);

  uint32_t high() const { return high_; }
  const Roaring& rows() const { return rows_; }
  uint64_t row_count() const { return row_count_; }
  // Null if the field was not indexed when the segment was built: nothing is known of it then.
  const Column* Find(std::string_view field) const;
  // Whether it has the indexed fields of the schema and no others.
  bool HasColumnsOf(const Schema& schema) const;
  // Entries of the largest column, which 32 bits must count.
  uint64_t EntriesMax() const;
  size_t MemoryBytes() const;

  std::string Encode() const;
  // DATA_LOSS (DATA_CORRUPT) for bytes that are not those of a segment.
  static Result<std::shared_ptr<const FieldSegment>> Decode(std::string_view bytes);

 private:
  uint32_t high_ = 0;
  Roaring rows_;
  uint64_t row_count_ = 0;
  std::map<std::string, Column, std::less<>> columns_;
};

}  // namespace ragstone::index::fields

#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "index/filter/payload.h"
#include "index/internal/fields/field_snapshot.h"

namespace ragstone::index::fields {

// A row to add. The payload is normalised (NormalizePayload) and lives until Apply returns.
struct FieldRow {
  RowId row = 0;
  const Payload* payload = nullptr;
};

// What merging must not pass.
struct MergeLimits {
  uint64_t segment_entries_max = uint64_t{1} << 31;  // which 32 bits must count
};

// The secondary indexes of one collection, over rows.
//
// Rows live in immutable segments. A write makes a segment of its rows and a new state: the list of
// segments, each with the set of its rows that were removed. Eight segments of about the same size
// become one (small ones in the write itself, larger ones in MergeOnce), so that there are few.
//
// Thread-safe. Readers take a snapshot, which costs a pointer under a lock, and then share nothing
// that changes with writers or with each other: they never wait for a write or a merge. All of a
// write is in a snapshot, or nothing of it. Writes wait for each other, and for the moment in which
// a merge is put in place.
class FieldIndex {
 public:
  explicit FieldIndex(Schema schema, const MergeLimits& limits = {});
  // Reads what FieldSnapshot::Encode wrote of an index with the same schema. DATA_LOSS
  // (DATA_CORRUPT) for other bytes.
  static Result<std::unique_ptr<FieldIndex>> Load(Schema schema, std::string_view bytes);

  // Takes rows away, then adds rows, as one step. Removing a row that is not there does nothing; a
  // row that is added again is replaced; of rows added twice in one call the last one counts.
  void Apply(std::span<const RowId> removed, std::span<const FieldRow> added);

  std::shared_ptr<const FieldSnapshot> Snapshot() const;

  // Merges segments that are due, or makes one anew of which a quarter was removed. Returns false
  // if nothing is due. For a background thread: takes about a microsecond for each row and field.
  bool MergeOnce();

 private:
  FieldIndex(std::shared_ptr<const Schema> schema, std::vector<SegmentRef> segments,
             const MergeLimits& limits);
  void Publish(std::vector<SegmentRef> segments) REQUIRES(write_mutex_);
  void RemoveRows(const RowSet& rows, std::vector<SegmentRef>* segments) const;
  void AppendRows(std::span<const FieldRow> rows, std::vector<SegmentRef>* segments) const
      REQUIRES(write_mutex_);
  void MergeSmall(std::vector<SegmentRef>* segments) const REQUIRES(write_mutex_);

  const std::shared_ptr<const Schema> schema_;
  const MergeLimits limits_;
  Mutex write_mutex_;
  // Segments that MergeOnce works on; writes leave them in the list.
  std::set<const FieldSegment*> busy_ GUARDED_BY(write_mutex_);

  mutable Mutex state_mutex_;  // held for the copy of a pointer only; after write_mutex_
  std::shared_ptr<const FieldSnapshot> state_ GUARDED_BY(state_mutex_);
};

}  // namespace ragstone::index::fields

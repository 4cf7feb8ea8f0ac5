#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "index/internal/records_db/index_files.h"
#include "index/internal/records_db/stored_spec.h"
#include "index/internal/stable_array.h"
#include "index/internal/vectors/asked_queries.h"
#include "index/internal/vectors/compact_index.h"
#include "index/internal/vectors/growing_segment.h"
#include "index/internal/vectors/segment.h"

namespace ragstone::index::records {

vectors::VectorSpec SpecOf(const VectorField& field);
// Where the values of a dense or bit vector lie.
vectors::VectorData DataOf(const Vector& vector);

// Some rows of one named vector: a growing segment, a sealed one or a compact index, and for each
// row the version from which it is not seen any more. One thread writes, any number read.
class VectorPart {
 public:
  static Result<std::shared_ptr<VectorPart>> Growing(const vectors::VectorSpec& spec,
                                                     size_t rows_max);
  // `asked`: of a part that it was made from; null: nothing was asked yet.
  static std::shared_ptr<VectorPart> Sealed(std::unique_ptr<vectors::Segment> segment,
                                            std::string reason,
                                            std::shared_ptr<vectors::AskedQueries> asked = nullptr);
  static std::shared_ptr<VectorPart> Compact(std::unique_ptr<vectors::CompactIndex> index,
                                             std::string reason);

  // --- the writer's
  // Adds a row, seen after Publish.
  Status Append(RowId row, vectors::VectorData vector);
  void Publish() { growing_->Publish(); }
  bool full() const {
    return growing_ != nullptr && growing_->rows_written() == growing_->rows_max();
  }
  // From version `at` on the row is not seen. False if it is not here.
  bool MarkGone(RowId row, SequenceNumber at);

  // --- readers'
  const vectors::GrowingSegment* growing() const { return growing_.get(); }
  vectors::Segment* sealed() const { return sealed_.get(); }
  const vectors::CompactIndex* compact() const { return compact_.get(); }
  size_t rows() const {
    if (growing_ != nullptr) return growing_->rows();
    return sealed_ != nullptr ? sealed_->rows() : compact_->rows();
  }
  // How many rows were marked, at whatever version.
  size_t gone() const { return gone_count_.load(std::memory_order_acquire); }
  RowId row_id(size_t slot) const {
    if (growing_ != nullptr) return growing_->id(slot);
    return sealed_ != nullptr ? sealed_->row_id(static_cast<vectors::Slot>(slot))
                              : compact_->row_id(static_cast<vectors::Slot>(slot));
  }
  // Of a part that does not grow; kNoSlot if the row is not here.
  vectors::Slot Find(RowId row) const;
  // The version from which the row is not seen; 0: it is.
  SequenceNumber GoneAt(size_t slot) const {
    return gone_at_.Row(slot)->load(std::memory_order_acquire);
  }
  bool SeenAt(size_t slot, SequenceNumber version) const {
    const SequenceNumber gone_at = GoneAt(slot);
    return gone_at == 0 || gone_at > version;
  }
  uint64_t bytes() const;
  // Why it is searched as it is, for people.
  std::string reason() const {
    MutexLock lock(&reason_mutex_);
    return reason_;
  }
  void set_reason(std::string reason) {
    MutexLock lock(&reason_mutex_);
    reason_ = std::move(reason);
  }
  // Null unless it is a graph over vectors of floats.
  const std::shared_ptr<vectors::AskedQueries>& asked() const { return asked_; }

  // Where it is stored, for the background thread alone.
  const StoredFile& stored() const { return stored_; }
  void set_stored(const StoredFile& stored) { stored_ = stored; }

 private:
  explicit VectorPart(size_t rows_max) : gone_at_(rows_max) {}
  vectors::Slot FindSlot(RowId row) const;

  std::unique_ptr<vectors::GrowingSegment> growing_;
  // Of those that grow, the first slots of rows that follow each other, by the first row.
  std::map<RowId, vectors::Slot> runs_;
  std::unique_ptr<vectors::Segment> sealed_;
  std::unique_ptr<vectors::CompactIndex> compact_;
  std::shared_ptr<vectors::AskedQueries> asked_;
  mutable Mutex reason_mutex_;
  std::string reason_ GUARDED_BY(reason_mutex_);
  StableArray<std::atomic<SequenceNumber>> gone_at_;
  std::atomic<size_t> gone_count_{0};
  StoredFile stored_;
};

// A part as one state sees it.
struct PartView {
  std::shared_ptr<VectorPart> part;
  size_t rows = 0;  // the first so many slots
};
using VectorView = std::vector<PartView>;

}  // namespace ragstone::index::records

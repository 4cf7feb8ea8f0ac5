#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "index/internal/dot.h"
#include "index/internal/keywords/rows.h"
#include "index/internal/records.h"
#include "index/internal/stable_array.h"

namespace ragstone::index {

// When a document version can be seen, in memory. Shared by all rows of the version.
struct VersionState {
  VersionState(DocumentId document_id, VersionId version_id, SequenceNumber from)
      : document(document_id), version(version_id), valid_from(from) {}

  const DocumentId document;
  const VersionId version;
  std::atomic<SequenceNumber> valid_from;        // kNever until published
  std::atomic<SequenceNumber> valid_to{kNever};  // set once: retired
  std::vector<ChunkRange> chunks;                // set before it is shared

  bool VisibleAt(SequenceNumber sequence) const {
    return valid_from.load(std::memory_order_acquire) <= sequence &&
           sequence < valid_to.load(std::memory_order_acquire);
  }
  // No reader at or after `sequence` can see it, now or later.
  bool DeadAt(SequenceNumber sequence) const {
    return valid_to.load(std::memory_order_acquire) <= sequence;
  }
};

// The chunks that a search may find. Immutable.
class ChunkSet {
 public:
  // Ranges in order.
  explicit ChunkSet(std::vector<keywords::RowRange> ranges)
      : ranges_(std::move(ranges)), count_(keywords::CountRows(ranges_)) {}
  const std::vector<keywords::RowRange>& ranges() const { return ranges_; }
  uint64_t count() const { return count_; }
  bool Contains(ChunkId chunk) const {
    const size_t i = FirstAfter(chunk);
    return i < ranges_.size() && ranges_[i].first <= chunk;
  }
  // The first range with chunks at or after this one.
  size_t FirstAfter(ChunkId chunk) const {
    return static_cast<size_t>(std::partition_point(ranges_.begin(), ranges_.end(),
                                                    [chunk](const keywords::RowRange& range) {
                                                      return range.first + range.count <= chunk;
                                                    }) -
                               ranges_.begin());
  }

 private:
  const std::vector<keywords::RowRange> ranges_;
  const uint64_t count_;
};

// What a search of vectors asks.
struct VectorQuery {
  const float* vector = nullptr;
  SequenceNumber sequence = 0;        // pinned
  size_t limit = 0;                   // of hits
  const ChunkSet* allowed = nullptr;  // null: all that are visible
};

struct ScoredChunk {
  ChunkId chunk = 0;
  DocumentId document = 0;
  double score = 0;
};

// Larger scores first, ties by chunk id.
inline bool Better(const ScoredChunk& a, const ScoredChunk& b) {
  return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
}

// The best `limit` of the chunks offered. Not thread-safe.
class TopChunks {
 public:
  explicit TopChunks(size_t limit) : limit_(limit) {}
  void Offer(const ScoredChunk& chunk);
  bool full() const { return heap_.size() >= limit_; }
  // The score below which nothing is taken any more.
  double bar() const { return heap_.front().score; }
  std::vector<ScoredChunk> TakeSorted();

 private:
  const size_t limit_;
  std::vector<ScoredChunk> heap_;  // worst at the front
};

// Vectors of chunks in memory, in rows. One writer appends; any number of readers search what was
// appended before, without locks. Rows of one version that were appended together form a run.
class Segment {
 public:
  Segment(size_t dimensions, size_t rows_max);

  struct Run {
    size_t begin = 0, end = 0;  // rows
    std::shared_ptr<const VersionState> version;
  };

  // --- the writer's
  size_t rows_max() const { return rows_max_; }
  size_t rows_written() const { return rows_written_; }
  // Appends one row; `vector` has dimensions() floats. There must be room.
  void Append(ChunkId chunk, const float* vector,
              const std::shared_ptr<const VersionState>& version);
  // Makes the rows appended so far readable.
  void Publish();

  // --- readers'
  size_t rows() const { return rows_.load(std::memory_order_acquire); }
  size_t dimensions() const { return vectors_.width(); }
  ChunkId chunk(size_t row) const { return chunks_[row]; }
  const float* vector(size_t row) const { return vectors_.Row(row); }
  const VersionState& version(size_t row) const { return *runs_[run_of_row_[row]].version; }
  size_t run_count() const { return run_count_.load(std::memory_order_acquire); }
  const Run& run(size_t i) const { return runs_[i]; }
  // Rows whose version is dead at `sequence`.
  size_t DeadRows(SequenceNumber sequence) const;
  uint64_t bytes() const;

  // Offers every row that is visible and allowed.
  Status Scan(const VectorQuery& query, const CallContext& context, TopChunks* top) const;

 private:
  // The rows of a run, whose chunks ascend, that are allowed, as ranges [begin, end).
  template <typename Visit>
  void VisitAllowed(const Run& run, const ChunkSet& allowed, const Visit& visit) const;

  const size_t rows_max_;
  StableArray<float> vectors_;
  StableArray<ChunkId> chunks_;
  StableArray<uint32_t> run_of_row_;
  StableArray<Run> runs_;
  // The run that grows is published by run_count_ only when it is complete, because readers see
  // its `end`.
  size_t rows_written_ = 0;
  size_t runs_written_ = 0;
  std::atomic<size_t> rows_{0};
  std::atomic<size_t> run_count_{0};
};

}  // namespace ragstone::index

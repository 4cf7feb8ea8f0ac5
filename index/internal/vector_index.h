#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "index/internal/hnsw_graph.h"
#include "index/internal/segment.h"

namespace ragstone::index {

// The vectors of one collection in memory: sealed segments, which take no more rows, and one that
// grows. Searches run over a snapshot of the list without locks. One thread appends at a time, one
// maintains; both beside searches.
class VectorIndex {
 public:
  struct Entry {
    std::shared_ptr<Segment> segment;
    std::shared_ptr<const HnswGraph> graph;  // null: scanned
  };
  using List = std::vector<Entry>;  // the last one grows

  // `rows_expected`: how many rows will be loaded at first.
  VectorIndex(size_t dimensions, uint32_t hnsw_rows_min, size_t rows_expected);

  // --- the writer's. Rows are readable, not visible, after PublishRows.
  void Append(ChunkId chunk, const float* vector,
              const std::shared_ptr<const VersionState>& version);
  void PublishRows();
  // Seals the growing segment if it is large enough for a graph, or mostly dead at `sequence`.
  void SealIfDue(SequenceNumber sequence);

  // --- readers'
  // Of the rows that are visible and allowed, min(limit, how many there are).
  Status Search(const VectorQuery& query, const CallContext& context, TopChunks* top) const;
  uint64_t bytes() const;
  size_t rows() const;
  // How vectors are searched, why, and with which measured recall, for people.
  std::string Describe() const;

  // --- the maintainer's. Does one piece of work: drops dead rows, joins small segments, or builds
  // a graph. No reader is at or will be before `oldest`. Returns whether there may be more to do.
  Result<bool> Maintain(SequenceNumber oldest, const std::atomic<bool>& stop);

 private:
  std::shared_ptr<const List> Snapshot() const;
  std::shared_ptr<Segment> growing() const { return Snapshot()->back().segment; }
  void Seal();
  // Replaces the sealed segments `old` by `replacement` if it has rows.
  void Replace(const std::vector<std::shared_ptr<Segment>>& old, Entry replacement);
  std::vector<std::shared_ptr<Segment>> ChooseToRewrite(const List& list,
                                                        SequenceNumber oldest) const;
  std::shared_ptr<Segment> Rewrite(const std::vector<std::shared_ptr<Segment>>& old,
                                   SequenceNumber oldest) const;

  const size_t dimensions_;
  const uint32_t hnsw_rows_min_;
  mutable Mutex mutex_;
  std::shared_ptr<const List> list_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index

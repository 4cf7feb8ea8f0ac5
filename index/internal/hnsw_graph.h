#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "index/internal/segment.h"

namespace ragstone::index {

// An HNSW graph over the rows of a segment that takes no more rows, with int8 codes of them
// (internal/vectors); the vectors stay in the segment. Thread-safe once built.
class HnswGraph {
 public:
  // Builds on the calling thread. Nothing if `stop` becomes true meanwhile; RESOURCE_EXHAUSTED
  // without memory.
  static Result<std::unique_ptr<HnswGraph>> Build(std::shared_ptr<const Segment> segment,
                                                  const std::atomic<bool>& stop);
  virtual ~HnswGraph() = default;
  // About the best `limit` rows visible at `sequence`, offered to `top`. Returns how many were:
  // all that are visible if they are fewer.
  virtual Result<size_t> Search(const float* query, SequenceNumber sequence, size_t limit,
                                TopChunks* top) const = 0;
  virtual uint64_t bytes() const = 0;

  // More than this and a scan is the better way.
  static constexpr size_t kLimitMax = 400;
};

}  // namespace ragstone::index

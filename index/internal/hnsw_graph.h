#pragma once

#include <atomic>
#include <memory>
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
  // About the best rows that are visible and allowed, offered to `top`. Returns how many were: all
  // if they are fewer than the limit. `matches`: about how many rows are allowed.
  virtual Result<size_t> Search(const VectorQuery& query, size_t matches, TopChunks* top) const = 0;
  // What was measured when it was built: the recall of the k nearest, and how it is reached.
  struct Measured {
    size_t ef = 0;
    size_t k = 0;
    size_t queries = 0;  // 0: nothing was measured
    double recall = 0;
  };
  virtual Measured measured() const = 0;
  virtual uint64_t bytes() const = 0;

  // More hits than this, or fewer rows that are allowed, and a scan is the better way.
  static constexpr size_t kLimitMax = 400;
  static constexpr size_t kMatchesMin = 10'000;
};

}  // namespace ragstone::index

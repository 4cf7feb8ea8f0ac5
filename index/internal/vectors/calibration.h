#pragma once

#include <atomic>
#include <span>

#include "index/internal/vectors/compact_index.h"
#include "index/internal/vectors/segment.h"

namespace ragstone::index::vectors {

struct CalibrateOptions {
  float target_recall = 0.98f;
  size_t k = Segment::kUsualHits;
  // Queries that were asked; empty: rows of the segment. Each of those is held out of its search:
  // it is not among the results, and the walk does not use its links, which lead to just what is
  // looked for.
  std::span<const VectorData> queries;
  size_t queries_max = 200;
  const ExactReader* reader = nullptr;  // as in SearchOptions
  uint64_t seed = 20261123;
  const std::atomic<bool>* stop = nullptr;  // raised to give up; may be null
};

// Finds the smallest ef at which a segment's recall against exact search reaches the target, for k
// hits and for Segment::kWideHits, and what the recall of k hits is. The segment is not changed:
// give `ef` and `wide_ef` to Segment::set_ef. Meant for a background thread: each query is answered
// exactly once. Without a graph the answer is a recall of 1. If no ef reaches the target the
// largest is given, with its recall. CANCELLED if stopped, INVALID_ARGUMENT for a target outside
// 0–1, FAILED_PRECONDITION if rows are to be queries and the segment cannot give vectors back
// (storage binary); errors are the reader's.
Result<Calibration> Calibrate(const Segment& segment, const CalibrateOptions& options);
// The same for a compact index, whose ef follows k by itself. Needs the reader.
Result<Calibration> Calibrate(const CompactIndex& index, const CalibrateOptions& options);

}  // namespace ragstone::index::vectors

#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/call_context.h"
#include "index/internal/keywords/segment.h"

namespace ragstone::index::keywords {

struct ScoredRow {
  RowId row = 0;
  double score = 0;
};

// Larger scores first, ties by row.
inline bool Better(const ScoredRow& a, const ScoredRow& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

// The best `limit` of the rows offered. Not thread-safe.
class TopRows {
 public:
  explicit TopRows(size_t limit) : limit_(limit) {}
  void Offer(const ScoredRow& row);
  // Scores below it are not taken.
  double bar() const { return heap_.size() < limit_ ? 0 : heap_.front().score; }
  std::vector<ScoredRow> TakeSorted();

 private:
  const size_t limit_;
  std::vector<ScoredRow> heap_;  // worst at the front
};

// A segment as one search sees it.
struct SegmentView {
  std::shared_ptr<const Segment> segment;
  std::shared_ptr<const HiddenRows> hidden;
  std::vector<std::shared_ptr<const LoadedList>> lists;  // one for each query term; null: none
};

struct Scoring {
  std::vector<double> weights;  // of the query terms
  double length_mean = 1;
  // Which rows may be found; null: all.
  const std::vector<RowRange>* candidates = nullptr;
  const std::function<bool(RowId)>* accept = nullptr;
};

// The BM25 score that one term gives. It is rounded to a multiple of 2^-36, so that sums of scores
// are exact and do not depend on the order in which terms are added.
inline double TermScore(double weight, double frequency, double norm) {
  // Adding and taking away 1.5 × 2^16 leaves multiples of 2^-36: the spacing of doubles there.
  constexpr double kRound = 98304.0;
  const double score = weight * frequency / (frequency + norm);
  return (score + kRound) - kRound;
}

// Offers the rows of the segment that have a term and may be found; those that cannot be among the
// best any more are passed over.
Status ScoreSegment(const SegmentView& view, const Scoring& scoring, const CallContext& context,
                    TopRows* top);

// The exact scores of these rows (ascending ordinals), 0 for those without a term.
std::vector<double> ScoreOrdinals(const SegmentView& view, const Scoring& scoring,
                                  std::span<const uint32_t> ordinals);

}  // namespace ragstone::index::keywords

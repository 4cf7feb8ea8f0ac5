#include "index/internal/keywords/scorer.h"

#include <algorithm>
#include <array>
#include <bit>

#include "index/internal/keywords/list_cursor.h"

namespace ragstone::index::keywords {
namespace {

// Rows are scored in windows of this many ordinals, whose sums fit the first-level cache.
constexpr uint32_t kWindow = 2048;
constexpr uint32_t kWords = kWindow / 64;
// How many windows pass between two looks at the deadline.
constexpr uint32_t kCheckWindows = 64;

// Bounds are rounded up by these, so that a sum of them is never below the score it bounds.
constexpr double kSlack = 1 + 1e-9;
constexpr double kSlackAbsolute = 1e-10;

// One query term in the segment.
struct Clause {
  explicit Clause(const PostingList* list) : cursor(list) {}
  ListCursor cursor;
  double weight = 0;
  double bound_unit = 0;  // what 1/255 of a stored bound is worth
  double window_bound = 0;
};

void SetBits(uint64_t* bits, uint32_t begin, uint32_t end, bool value) {
  for (uint32_t i = begin; i < end;) {
    const uint32_t word_end = std::min(end, (i / 64 + 1) * 64);
    const uint32_t count = word_end - i;
    const uint64_t mask = (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << (i % 64);
    if (value) {
      bits[i / 64] |= mask;
    } else {
      bits[i / 64] &= ~mask;
    }
    i = word_end;
  }
}

// Block-max MaxScore over windows: in each, terms whose bounds together cannot reach the bar are
// looked up only for rows that the other terms found (Turtle and Flood, "Query evaluation:
// strategies and optimizations", 1995; Chakrabarti, Chaudhuri and Ganti, "Interval-based pruning
// for top-k processing over compressed lists", 2011; Ding and Suel, "Faster top-k document
// retrieval using block-max indexes", 2011).
class SegmentScorer {
 public:
  SegmentScorer(const SegmentView& view, const Scoring& scoring, TopRows* top)
      : rows_(view.segment->rows()),
        scoring_(scoring),
        top_(top),
        hidden_(view.hidden->ordinals),
        norm_base_(kBm25K1 * (1 - kBm25B)),
        norm_step_(kBm25K1 * kBm25B / scoring.length_mean) {
    if (scoring.candidates != nullptr) candidates_ = rows_.Ordinals(*scoring.candidates);
    // Stored bounds are for the mean length of the segment's rows; a larger mean raises the part of
    // the weight that a row has at most by their ratio.
    const double ratio = std::max(1.0, scoring.length_mean / rows_.length_mean());
    size_t count = 0;
    for (const auto& list : view.lists) count += list != nullptr ? 1 : 0;
    clauses_.reserve(count);
    for (size_t i = 0; i < view.lists.size(); ++i) {
      if (view.lists[i] == nullptr) continue;
      Clause& clause = clauses_.emplace_back(&view.lists[i]->list);
      clause.weight = scoring.weights[i];
      clause.bound_unit = clause.weight / 255 * ratio * kSlack;
    }
    order_.resize(clauses_.size());
    sums_.resize(clauses_.size() + 1);
  }

  // The windows that may hold the best rows come first, so that the bar is high for the others.
  Status Run(const CallContext& context) {
    struct Window {
      double bound;
      uint32_t base;
    };
    std::vector<Window> windows;
    for (uint64_t base = 0; base < rows_.size() && !clauses_.empty(); base += kWindow) {
      EnterWindow(static_cast<uint32_t>(base));
      if (scoring_.candidates != nullptr && !AnyCandidate()) continue;
      BoundWindow();
      double bound = 0;
      for (const Clause& clause : clauses_) bound += clause.window_bound;
      if (bound > 0 && bound >= top_->bar()) windows.push_back({bound, base_});
    }
    std::sort(windows.begin(), windows.end(), [](const Window& a, const Window& b) {
      return a.bound != b.bound ? a.bound > b.bound : a.base < b.base;
    });
    for (size_t i = 0; i < windows.size() && windows[i].bound >= top_->bar(); ++i) {
      if (i % kCheckWindows == kCheckWindows - 1) RETURN_IF_ERROR(context.Check());
      EnterWindow(windows[i].base);
      for (Clause& clause : clauses_) clause.cursor.Restart(base_);
      BoundWindow();
      OrderClauses();
      ScoreWindow();
    }
    return OkStatus();
  }

 private:
  double Norm(uint32_t ordinal) const { return norm_base_ + norm_step_ * rows_.length(ordinal); }

  void EnterWindow(uint32_t base) {
    base_ = base;
    end_ = static_cast<uint32_t>(std::min<uint64_t>(uint64_t{base} + kWindow, rows_.size()));
  }

  // The place of the first range that is not before the window.
  size_t FirstIn(const std::vector<RowRange>& ranges) const {
    return static_cast<size_t>(std::partition_point(ranges.begin(), ranges.end(),
                                                    [this](const RowRange& range) {
                                                      return range.first + range.count <= base_;
                                                    }) -
                               ranges.begin());
  }

  bool AnyCandidate() const {
    const size_t first = FirstIn(candidates_);
    return first < candidates_.size() && candidates_[first].first < end_;
  }

  // Bounds what each term can give in the window.
  void BoundWindow() {
    for (Clause& clause : clauses_) {
      clause.cursor.JumpToBlock(base_);
      const auto& blocks = clause.cursor.list().blocks();
      uint8_t bound = 0;
      for (size_t b = clause.cursor.block(); b < blocks.size() && blocks[b].first < end_; ++b) {
        bound = std::max(bound, blocks[b].bound);
      }
      clause.window_bound =
          bound == 0 ? 0
                     : std::min(clause.weight * kSlack, clause.bound_unit * bound) + kSlackAbsolute;
    }
  }

  // By bound, with the sums of the bounds.
  void OrderClauses() {
    for (size_t i = 0; i < clauses_.size(); ++i) order_[i] = &clauses_[i];
    std::sort(order_.begin(), order_.end(),
              [](const Clause* a, const Clause* b) { return a->window_bound < b->window_bound; });
    for (size_t i = 0; i < order_.size(); ++i) sums_[i + 1] = sums_[i] + order_[i]->window_bound;
  }

  void ScoreWindow() {
    // The terms before `essential` cannot lift a row over the bar by themselves.
    const double bar = top_->bar();
    size_t essential = 0;
    while (essential < order_.size() && sums_[essential + 1] < bar) ++essential;
    found_.fill(0);
    for (size_t i = essential; i < order_.size(); ++i) Accumulate(order_[i]);
    Restrict();
    for (uint32_t word = 0; word < kWords; ++word) {
      for (uint64_t bits = found_[word]; bits != 0; bits &= bits - 1) {
        const uint32_t place = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
        Finish(base_ + place, sum_[place], essential);
      }
    }
  }

  // Adds one term to the sums of the window.
  void Accumulate(Clause* clause) {
    ListCursor& cursor = clause->cursor;
    const auto& blocks = cursor.list().blocks();
    const uint32_t* lengths = rows_.lengths();
    for (; !cursor.done() && blocks[cursor.block()].first < end_;
         cursor.SeekBlock(blocks[cursor.block()].last + 1)) {
      const uint32_t* ordinals = cursor.ordinals();
      const uint32_t* frequencies = cursor.frequencies();
      const size_t count = blocks[cursor.block()].count;
      size_t i = 0;
      if (ordinals[0] < base_) {
        i = static_cast<size_t>(std::lower_bound(ordinals, ordinals + count, base_) - ordinals);
      }
      for (; i < count && ordinals[i] < end_; ++i) {
        const uint32_t place = ordinals[i] - base_;
        const double score = TermScore(clause->weight, frequencies[i],
                                       norm_base_ + norm_step_ * lengths[ordinals[i]]);
        const uint64_t bit = uint64_t{1} << (place % 64);
        uint64_t& word = found_[place / 64];
        sum_[place] = (word & bit) != 0 ? sum_[place] + score : score;
        word |= bit;
      }
      if (i < count) break;  // the block goes on in the next window
    }
  }

  // Takes out the rows that must not be found.
  void Restrict() {
    for (size_t i = FirstIn(hidden_); i < hidden_.size() && hidden_[i].first < end_; ++i) {
      SetBits(found_.data(), Place(hidden_[i].first), Place(hidden_[i].first + hidden_[i].count),
              false);
    }
    if (scoring_.candidates == nullptr) return;
    std::array<uint64_t, kWords> allowed = {};
    for (size_t i = FirstIn(candidates_); i < candidates_.size() && candidates_[i].first < end_;
         ++i) {
      SetBits(allowed.data(), Place(candidates_[i].first),
              Place(candidates_[i].first + candidates_[i].count), true);
    }
    for (uint32_t word = 0; word < kWords; ++word) found_[word] &= allowed[word];
  }

  // An ordinal's place in the window, or the window's nearest end.
  uint32_t Place(uint64_t ordinal) const {
    return static_cast<uint32_t>(std::clamp<uint64_t>(ordinal, base_, end_) - base_);
  }

  // Adds the terms that were not accumulated, as long as the row can still reach the bar.
  void Finish(uint32_t ordinal, double score, size_t essential) {
    const double bar = top_->bar();
    double norm = 0;
    for (size_t i = essential; i > 0; --i) {
      if (score + sums_[i] < bar) return;
      if (norm == 0) norm = Norm(ordinal);
      Clause* clause = order_[i - 1];
      const uint32_t frequency = clause->cursor.FrequencyAt(ordinal);
      if (frequency > 0) score += TermScore(clause->weight, frequency, norm);
    }
    if (score < bar || score <= 0) return;
    const RowId row = rows_.row(ordinal);
    if (scoring_.accept != nullptr && !(*scoring_.accept)(row)) return;
    top_->Offer({row, score});
  }

  const RowTable& rows_;
  const Scoring& scoring_;
  TopRows* const top_;
  const std::vector<RowRange>& hidden_;
  const double norm_base_;
  const double norm_step_;
  std::vector<RowRange> candidates_;  // ordinals
  std::vector<Clause> clauses_;
  std::vector<Clause*> order_;  // by bound in the window
  std::vector<double> sums_;    // of the bounds before each place of order_
  uint32_t base_ = 0;           // the window
  uint32_t end_ = 0;
  std::array<uint64_t, kWords> found_;
  std::array<double, kWindow> sum_;
};

}  // namespace

void TopRows::Offer(const ScoredRow& row) {
  if (limit_ == 0) return;
  if (heap_.size() < limit_) {
    heap_.push_back(row);
    std::push_heap(heap_.begin(), heap_.end(), Better);
  } else if (Better(row, heap_.front())) {
    std::pop_heap(heap_.begin(), heap_.end(), Better);
    heap_.back() = row;
    std::push_heap(heap_.begin(), heap_.end(), Better);
  }
}

std::vector<ScoredRow> TopRows::TakeSorted() {
  std::sort(heap_.begin(), heap_.end(), Better);
  return std::move(heap_);
}

Status ScoreSegment(const SegmentView& view, const Scoring& scoring, const CallContext& context,
                    TopRows* top) {
  return SegmentScorer(view, scoring, top).Run(context);
}

std::vector<double> ScoreOrdinals(const SegmentView& view, const Scoring& scoring,
                                  std::span<const uint32_t> ordinals) {
  const RowTable& rows = view.segment->rows();
  std::vector<double> scores(ordinals.size(), 0);
  const double base = kBm25K1 * (1 - kBm25B);
  const double step = kBm25K1 * kBm25B / scoring.length_mean;
  for (size_t t = 0; t < view.lists.size(); ++t) {
    if (view.lists[t] == nullptr) continue;
    ListCursor cursor(&view.lists[t]->list);
    for (size_t i = 0; i < ordinals.size(); ++i) {
      const uint32_t frequency = cursor.FrequencyAt(ordinals[i]);
      if (frequency == 0) continue;
      scores[i] += TermScore(scoring.weights[t], frequency, base + step * rows.length(ordinals[i]));
    }
  }
  return scores;
}

}  // namespace ragstone::index::keywords

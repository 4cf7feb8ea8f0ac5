#include "index/internal/vectors/calibration.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace ragstone::index::vectors {
namespace {

// Rows are drawn again if they cannot be held out, so many times for each that is wanted.
constexpr size_t kDraws = 20;
constexpr size_t kStepsToTwice = 6;

// About an eighth more work from each to the next.
std::vector<size_t> Steps(size_t least, size_t most) {
  std::vector<size_t> steps;
  most = std::max(least, most);
  for (size_t ef = least; ef < most; ef += std::max<size_t>(ef / 8, 1)) steps.push_back(ef);
  steps.push_back(most);
  return steps;
}

// What is measured.
class Searched {
 public:
  virtual ~Searched() = default;
  virtual size_t rows() const = 0;
  virtual RowId row_id(Slot slot) const = 0;
  // Whether a search can be told to leave the slot out.
  virtual bool CanBeHeldOut(Slot slot) const = 0;
  virtual Status Search(VectorData query, const SearchOptions& options,
                        std::vector<Hit>* hits) const = 0;
  // A row as a query.
  virtual Status Vector(Slot slot, const ExactReader* reader, float* vector) const = 0;
  // Exact search without reading each row for each query; false if that is not possible.
  virtual bool SearchExact(VectorData query, size_t k, std::vector<Hit>* hits) const = 0;
};

class SearchedSegment : public Searched {
 public:
  explicit SearchedSegment(const Segment& segment) : segment_(segment) {}
  size_t rows() const override { return segment_.rows(); }
  RowId row_id(Slot slot) const override { return segment_.row_id(slot); }
  bool CanBeHeldOut(Slot slot) const override {
    const Twins& twins = segment_.twins();
    return !twins.IsTwin(slot) && !twins.HasTwin(slot) && slot != segment_.graph().entry();
  }
  Status Search(VectorData query, const SearchOptions& options,
                std::vector<Hit>* hits) const override {
    return segment_.Search(query, options, nullptr, hits);
  }
  Status Vector(Slot slot, const ExactReader* reader, float* vector) const override {
    if (reader == nullptr) {
      segment_.Decode(slot, vector);
      return OkStatus();
    }
    const RowId row = segment_.row_id(slot);
    return reader->Read({&row, 1}, vector);
  }
  bool SearchExact(VectorData query, size_t k, std::vector<Hit>* hits) const override {
    SearchOptions options;
    options.k = k;
    return segment_.SearchExact(query, options, nullptr, hits).ok();
  }

 private:
  const Segment& segment_;
};

class SearchedIndex : public Searched {
 public:
  explicit SearchedIndex(const CompactIndex& index) : index_(index) {}
  size_t rows() const override { return index_.rows(); }
  RowId row_id(Slot slot) const override { return index_.row_id(slot); }
  bool CanBeHeldOut(Slot) const override { return false; }
  Status Search(VectorData query, const SearchOptions& options,
                std::vector<Hit>* hits) const override {
    return index_.Search(query, options, nullptr, hits);
  }
  Status Vector(Slot slot, const ExactReader* reader, float* vector) const override {
    const RowId row = index_.row_id(slot);
    return reader->Read({&row, 1}, vector);
  }
  bool SearchExact(VectorData, size_t, std::vector<Hit>*) const override { return false; }

 private:
  const CompactIndex& index_;
};

class Calibrator {
 public:
  Calibrator(const Searched& searched, const CalibrateOptions& options)
      : searched_(searched), options_(options) {}

  Status ChooseQueries(size_t dimensions) {
    if (!options_.queries.empty()) {
      const size_t count = std::min(options_.queries_max, options_.queries.size());
      queries_.assign(options_.queries.begin(),
                      options_.queries.begin() + static_cast<ptrdiff_t>(count));
      self_.assign(count, kNoSlot);
      return OkStatus();
    }
    DrawRows();
    vectors_.resize(self_.size() * dimensions);
    for (size_t i = 0; i < self_.size(); ++i) {
      float* vector = vectors_.data() + i * dimensions;
      RETURN_IF_ERROR(searched_.Vector(self_[i], options_.reader, vector));
      queries_.push_back(vector);
    }
    return OkStatus();
  }

  // The best k and one more, which may be the query itself.
  Status FindTruth(const VectorSpec& spec, size_t k, bool by_reading) {
    if (by_reading) return FindTruthByReading(spec, k);
    for (size_t i = 0; i < queries_.size(); ++i) {
      if (stopped()) return Stopped();
      std::vector<Hit> hits;
      if (!searched_.SearchExact(queries_[i], k + 1, &hits)) {
        return Internal("exact search failed while recall was measured");
      }
      truth_.push_back(WithoutSelf(i, std::move(hits)));
    }
    return OkStatus();
  }

  // The recall of k hits over the first `queries` queries.
  Result<float> RecallAt(size_t ef, size_t k, size_t queries) const {
    size_t found = 0, wanted = 0;
    for (size_t i = 0; i < std::min(queries, queries_.size()); ++i) {
      if (stopped()) return Stopped();
      SearchOptions options;
      options.k = k;
      options.ef = ef;
      options.reader = options_.reader;
      if (self_[i] != kNoSlot && searched_.CanBeHeldOut(self_[i])) {
        options.held_out = self_[i];
      } else if (self_[i] != kNoSlot) {
        ++options.k;
      }
      std::vector<Hit> hits;
      RETURN_IF_ERROR(searched_.Search(queries_[i], options, &hits));
      hits = WithoutSelf(i, std::move(hits));
      const size_t best = std::min(k, truth_[i].size());
      if (best == 0) continue;
      // What is as near as the last of the truth is as good.
      const float bar = truth_[i][best - 1].distance;
      wanted += best;
      for (size_t j = 0; j < std::min(best, hits.size()); ++j) found += hits[j].distance <= bar;
    }
    return wanted == 0 ? 1.0f : static_cast<float>(found) / static_cast<float>(wanted);
  }

  // The smallest of the steps that reaches the target, the last if none does; what it reaches goes
  // to `recall`. From the small ones on, because large ones take long.
  Result<size_t> Find(const std::vector<size_t>& steps, size_t k, size_t queries,
                      float* recall) const {
    size_t low = 0, high = 0;
    for (;; high = std::min(high + kStepsToTwice, steps.size() - 1)) {
      ASSIGN_OR_RETURN(*recall, RecallAt(steps[high], k, queries));
      if (*recall >= options_.target_recall || high == steps.size() - 1) break;
      low = high + 1;
    }
    while (low < high) {
      const size_t middle = (low + high) / 2;
      ASSIGN_OR_RETURN(const float reached, RecallAt(steps[middle], k, queries));
      if (reached >= options_.target_recall) {
        high = middle;
        *recall = reached;
      } else {
        low = middle + 1;
      }
    }
    return steps[high];
  }

  size_t queries() const { return queries_.size(); }

 private:
  bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }
  static Status Stopped() {
    return Status(StatusCode::kCancelled, Reason::kCancelled, "measuring recall was stopped");
  }
  void DrawRows() {
    std::mt19937_64 random(options_.seed);
    const size_t count = std::min(options_.queries_max, searched_.rows());
    for (size_t draws = 0; self_.size() < count && draws < kDraws * count; ++draws) {
      const Slot slot = static_cast<Slot>(random() % searched_.rows());
      if (searched_.CanBeHeldOut(slot)) self_.push_back(slot);
    }
    // Where none can be, or nearly all rows are equal to others.
    while (self_.size() < count) self_.push_back(static_cast<Slot>(random() % searched_.rows()));
  }

  // Reads each row once for all queries.
  Status FindTruthByReading(const VectorSpec& spec, size_t k) {
    constexpr size_t kRowsAtOnce = ExactDistances::kRowsAtOnce;
    CodePlan plan;
    plan.metric = spec.metric;
    plan.dimensions = spec.dimensions;
    ASSIGN_OR_RETURN(Codes codes, Codes::Make(plan, kRowsAtOnce));
    std::vector<CodedQuery> coded(queries_.size());
    for (size_t i = 0; i < queries_.size(); ++i) codes.Prepare(queries_[i], &coded[i]);
    std::vector<TopSlots> nearest(queries_.size(), TopSlots(k + 1));
    std::vector<float> values(kRowsAtOnce * plan.dimensions);
    std::vector<float> distances(kRowsAtOnce);
    std::vector<Slot> slots(kRowsAtOnce);
    std::iota(slots.begin(), slots.end(), 0);
    for (size_t begin = 0; begin < searched_.rows(); begin += kRowsAtOnce) {
      if (stopped()) return Stopped();
      const size_t count = std::min(kRowsAtOnce, searched_.rows() - begin);
      std::vector<RowId> rows(count);
      for (size_t i = 0; i < count; ++i) rows[i] = searched_.row_id(static_cast<Slot>(begin + i));
      RETURN_IF_ERROR(options_.reader->Read(rows, values.data()));
      for (size_t i = 0; i < count; ++i) {
        codes.Encode(slots[i], values.data() + i * plan.dimensions);
      }
      for (size_t q = 0; q < queries_.size(); ++q) {
        codes.Distances(coded[q], slots.data(), count, distances.data());
        for (size_t i = 0; i < count; ++i) {
          nearest[q].Offer(distances[i], rows[i], static_cast<Slot>(begin + i));
        }
      }
    }
    for (size_t q = 0; q < queries_.size(); ++q) {
      truth_.push_back(WithoutSelf(q, nearest[q].Sorted()));
    }
    return OkStatus();
  }

  std::vector<Hit> WithoutSelf(size_t query, std::vector<Hit> hits) const {
    if (self_[query] == kNoSlot) return hits;
    std::erase_if(hits, [&](const Hit& hit) { return hit.slot == self_[query]; });
    return hits;
  }

  const Searched& searched_;
  const CalibrateOptions& options_;
  std::vector<float> vectors_;
  std::vector<VectorData> queries_;
  std::vector<Slot> self_;  // of queries that are rows
  std::vector<std::vector<Hit>> truth_;
};

Status CheckOptions(const CalibrateOptions& options) {
  if (options.target_recall > 0 && options.target_recall <= 1 && options.k > 0) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "the target recall is " + std::to_string(options.target_recall) + " of " +
                             std::to_string(options.k) +
                             " hits; it must be above 0 and at most 1, of at least one hit");
}

Calibration Unmeasured(const CalibrateOptions& options, size_t ef) {
  Calibration found;
  found.k = options.k;
  found.target = options.target_recall;
  found.ef = ef;
  found.recall = 1;
  return found;
}

}  // namespace

Result<Calibration> Calibrate(const Segment& segment, const CalibrateOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  Calibration found = Unmeasured(options, segment.ef());
  if (!segment.has_graph() || segment.rows() == 0) return found;
  if (options.queries.empty() && options.reader == nullptr && segment.only_bits()) {
    return FailedPrecondition(Reason::kInvalidArgument,
                              "recall of binary vectors is measured with queries or with a reader "
                              "of the vectors; give one of them");
  }
  const SearchedSegment searched(segment);
  Calibrator calibrator(searched, options);
  const size_t most = std::min(Segment::kEfMax, std::max<size_t>(segment.rows() / 8, 1));
  const size_t wide = Segment::kWideHits;
  RETURN_IF_ERROR(calibrator.ChooseQueries(segment.spec().dimensions));
  RETURN_IF_ERROR(calibrator.FindTruth(segment.spec(), std::max(options.k, wide),
                                       !segment.has_exact() && options.reader != nullptr));
  found.queries = calibrator.queries();
  ASSIGN_OR_RETURN(found.ef, calibrator.Find(Steps(std::min<size_t>(8, most), most), options.k,
                                             found.queries, &found.recall));
  if (options.k == wide) {
    found.wide_ef = found.ef;
    return found;
  }
  // Each has ten times as many hits.
  const size_t wide_queries = std::max<size_t>(found.queries / 4, 1);
  float recall = 0;
  ASSIGN_OR_RETURN(found.wide_ef,
                   calibrator.Find(Steps(std::min(wide, most), most), wide, wide_queries, &recall));
  return found;
}

Result<Calibration> Calibrate(const CompactIndex& index, const CalibrateOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  Calibration found = Unmeasured(options, index.ef());
  if (index.rows() == 0) return found;
  if (options.reader == nullptr) {
    return FailedPrecondition(Reason::kInvalidArgument,
                              "recall of a compact index is measured with a reader of the vectors; "
                              "give one");
  }
  const SearchedIndex searched(index);
  Calibrator calibrator(searched, options);
  RETURN_IF_ERROR(calibrator.ChooseQueries(index.spec().dimensions));
  RETURN_IF_ERROR(calibrator.FindTruth(index.spec(), options.k, true));
  found.queries = calibrator.queries();
  const std::vector<size_t> steps =
      Steps(CompactIndex::kEfMin, std::min(CompactIndex::kEfMax, index.rows()));
  ASSIGN_OR_RETURN(found.ef, calibrator.Find(steps, options.k, found.queries, &found.recall));
  return found;
}

}  // namespace ragstone::index::vectors

#include "index/internal/vectors/calibration.h"

#include <algorithm>
#include <random>

namespace ragstone::index::vectors {
namespace {

// About an eighth more work from each to the next.
std::vector<size_t> Steps(size_t rows) {
  std::vector<size_t> steps;
  const size_t most = std::min(Segment::kEfMax, std::max<size_t>(rows / 8, 1));
  for (size_t ef = 8; ef < most; ef += std::max<size_t>(ef / 8, 1)) steps.push_back(ef);
  steps.push_back(most);
  return steps;
}

class Calibrator {
 public:
  Calibrator(const Segment& segment, const CalibrateOptions& options)
      : segment_(segment), options_(options) {}

  Status ChooseQueries() {
    if (!options_.queries.empty()) {
      const size_t count = std::min(options_.queries_max, options_.queries.size());
      queries_.assign(options_.queries.begin(),
                      options_.queries.begin() + static_cast<ptrdiff_t>(count));
      self_.assign(count, kNoSlot);
      return OkStatus();
    }
    if (segment_.spec().storage == Storage::kBinary && options_.reader == nullptr) {
      return FailedPrecondition(Reason::kInvalidArgument,
                                "recall of binary vectors is measured with queries or with a "
                                "reader of the vectors; give one of them");
    }
    std::mt19937_64 random(options_.seed);
    const size_t count = std::min(options_.queries_max, segment_.rows());
    const size_t dimensions = segment_.spec().dimensions;
    vectors_.resize(count * dimensions);
    for (size_t i = 0; i < count; ++i) {
      const Slot slot = static_cast<Slot>(random() % segment_.rows());
      float* vector = vectors_.data() + i * dimensions;
      if (options_.reader != nullptr) {
        const RowId row = segment_.row_id(slot);
        RETURN_IF_ERROR(options_.reader->Read({&row, 1}, vector));
      } else {
        segment_.Decode(slot, vector);
      }
      queries_.push_back(vector);
      self_.push_back(slot);
    }
    return OkStatus();
  }

  Status FindTruth() {
    for (size_t i = 0; i < queries_.size(); ++i) {
      if (stopped()) return Stopped();
      std::vector<Hit> hits;
      RETURN_IF_ERROR(segment_.SearchExact(queries_[i], Options(0), nullptr, &hits));
      truth_.push_back(WithoutSelf(i, hits));
    }
    return OkStatus();
  }

  Result<float> RecallAt(size_t ef) const {
    size_t found = 0, wanted = 0;
    for (size_t i = 0; i < queries_.size(); ++i) {
      if (stopped()) return Stopped();
      std::vector<Hit> hits;
      RETURN_IF_ERROR(segment_.Search(queries_[i], Options(ef), nullptr, &hits));
      hits = WithoutSelf(i, hits);
      // What is as near as the last of the truth is as good.
      const float bar = truth_[i].empty() ? 0 : truth_[i].back().distance;
      wanted += truth_[i].size();
      for (const Hit& hit : hits) found += hit.distance <= bar;
    }
    return wanted == 0 ? 1.0f : static_cast<float>(found) / static_cast<float>(wanted);
  }

  size_t queries() const { return queries_.size(); }

 private:
  bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }
  static Status Stopped() {
    return Status(StatusCode::kCancelled, Reason::kCancelled, "measuring recall was stopped");
  }
  SearchOptions Options(size_t ef) const {
    SearchOptions options;
    options.k = options_.k + 1;  // one may be the query itself
    options.ef = ef;
    options.reader = options_.reader;
    return options;
  }
  std::vector<Hit> WithoutSelf(size_t query, std::vector<Hit> hits) const {
    std::erase_if(hits, [&](const Hit& hit) { return hit.slot == self_[query]; });
    if (hits.size() > options_.k) hits.resize(options_.k);
    return hits;
  }

  const Segment& segment_;
  const CalibrateOptions& options_;
  std::vector<float> vectors_;
  std::vector<VectorData> queries_;
  std::vector<Slot> self_;  // of queries that are rows
  std::vector<std::vector<Hit>> truth_;
};

}  // namespace

Result<Calibration> Calibrate(const Segment& segment, const CalibrateOptions& options) {
  if (!(options.target_recall > 0 && options.target_recall <= 1) || options.k == 0) {
    return InvalidArgument(Reason::kInvalidArgument, "the target recall is " +
                                                         std::to_string(options.target_recall) +
                                                         "; it must be above 0 and at most 1");
  }
  Calibration found;
  found.k = options.k;
  found.target = options.target_recall;
  found.ef = segment.ef();
  found.recall = 1;
  if (!segment.has_graph() || segment.rows() == 0) return found;
  Calibrator calibrator(segment, options);
  RETURN_IF_ERROR(calibrator.ChooseQueries());
  RETURN_IF_ERROR(calibrator.FindTruth());
  found.queries = calibrator.queries();
  const std::vector<size_t> steps = Steps(segment.rows());
  size_t low = 0, high = steps.size() - 1;
  ASSIGN_OR_RETURN(found.recall, calibrator.RecallAt(steps[high]));
  while (low < high) {
    const size_t middle = (low + high) / 2;
    ASSIGN_OR_RETURN(const float recall, calibrator.RecallAt(steps[middle]));
    if (recall >= options.target_recall) {
      high = middle;
      found.recall = recall;
    } else {
      low = middle + 1;
    }
  }
  found.ef = steps[high];
  return found;
}

}  // namespace ragstone::index::vectors

#include "index/internal/hnsw_graph.h"

#include <algorithm>
#include <functional>
#include <random>
#include <span>
#include <utility>

#include "index/internal/vectors/calibration.h"
#include "index/internal/vectors/segment.h"

namespace ragstone::index {
namespace {

constexpr uint32_t kEfConstruction = 120;
constexpr float kTargetRecall = 0.98f;
constexpr size_t kCalibrationQueries = 100;
constexpr size_t kMeasuredHits = 100;  // what a hybrid search for ten takes
constexpr uint64_t kSeed = 20261123;
// Of vectors this short the graph holds copies, of longer ones int8 codes.
constexpr size_t kCopiedDimensionsMax = 63;

// The rows of a segment as the graph's vectors; a row's number is its place.
class SegmentRows : public vectors::RowSource, public vectors::ExactReader {
 public:
  explicit SegmentRows(const Segment* segment) : segment_(segment) {}
  size_t rows() const override { return segment_->rows(); }
  vectors::RowId id(size_t i) const override { return i; }
  vectors::VectorData vector(size_t i) const override { return segment_->vector(i); }
  Status Read(std::span<const vectors::RowId> rows, float* out) const override {
    for (const vectors::RowId row : rows) {
      out = std::copy_n(segment_->vector(row), segment_->dimensions(), out);
    }
    return OkStatus();
  }

 private:
  const Segment* const segment_;
};

class SegmentGraph : public HnswGraph {
 public:
  SegmentGraph(std::shared_ptr<const Segment> segment, std::unique_ptr<vectors::Segment> graph)
      : segment_(std::move(segment)), rows_(segment_.get()), graph_(std::move(graph)) {}

  Result<size_t> Search(const VectorQuery& query, size_t matches, TopChunks* top) const override {
    const auto passes = [&](vectors::RowId row, vectors::Slot) {
      return segment_->version(row).VisibleAt(query.sequence) &&
             (query.allowed == nullptr || query.allowed->Contains(segment_->chunk(row)));
    };
    // Segments that are mostly dead are rewritten, so that nearly all rows are visible.
    const vectors::Restriction restriction = {vectors::RowPredicate(passes), matches, {}};
    vectors::SearchOptions options;
    options.k = query.limit;
    if (!graph_->has_exact()) options.reader = &rows_;
    std::vector<vectors::Hit> hits;
    RETURN_IF_ERROR(graph_->Search(query.vector, options, &restriction, &hits));
    for (const vectors::Hit& hit : hits) {
      top->Offer({segment_->chunk(hit.row), segment_->version(hit.row).document, -hit.distance});
    }
    return hits.size();
  }

  uint64_t bytes() const override { return graph_->bytes(); }
  Measured measured() const override { return measured_; }

  // Finds how far walks must go for kTargetRecall. Without it they go as far as is usual.
  void Calibrate(const std::atomic<bool>& stop) {
    // A row of the graph is found by its own links; questions are not in it. So each query is the
    // sum of two rows.
    std::mt19937_64 random(kSeed);
    const size_t dimensions = segment_->dimensions();
    std::vector<float> sums(kCalibrationQueries * dimensions);
    std::vector<vectors::VectorData> queries;
    for (size_t i = 0; i < kCalibrationQueries; ++i) {
      const float* one = segment_->vector(random() % segment_->rows());
      const float* other = segment_->vector(random() % segment_->rows());
      float* sum = sums.data() + i * dimensions;
      std::transform(one, one + dimensions, other, sum, std::plus<>());
      queries.push_back(sum);
    }
    vectors::CalibrateOptions options;
    options.target_recall = kTargetRecall;
    options.k = kMeasuredHits;
    options.queries = queries;
    if (!graph_->has_exact()) options.reader = &rows_;
    options.stop = &stop;
    const Result<vectors::Calibration> found = vectors::Calibrate(*graph_, options);
    if (!found.ok() || found->queries == 0) return;
    graph_->set_ef(found->ef);
    measured_ = {found->ef, found->k, found->queries, static_cast<double>(found->recall)};
  }

 private:
  const std::shared_ptr<const Segment> segment_;
  const SegmentRows rows_;
  const std::unique_ptr<vectors::Segment> graph_;
  Measured measured_;
};

}  // namespace

Result<std::unique_ptr<HnswGraph>> HnswGraph::Build(std::shared_ptr<const Segment> segment,
                                                    const std::atomic<bool>& stop) {
  vectors::VectorSpec spec;
  spec.dimensions = static_cast<uint32_t>(segment->dimensions());
  spec.metric = vectors::Metric::kInnerProduct;
  spec.storage = segment->dimensions() > kCopiedDimensionsMax ? vectors::Storage::kInt8
                                                              : vectors::Storage::kFloat32;
  vectors::SealOptions options;
  options.graph.ef_construction = kEfConstruction;
  options.graph.stop = &stop;
  const SegmentRows rows(segment.get());
  Result<std::unique_ptr<vectors::Segment>> built = vectors::Segment::Build(spec, rows, options);
  if (stop.load()) return std::unique_ptr<HnswGraph>();
  if (!built.ok()) return built.status().WithContext("building a vector graph");
  auto graph = std::make_unique<SegmentGraph>(std::move(segment), std::move(built).value());
  graph->Calibrate(stop);
  return std::unique_ptr<HnswGraph>(std::move(graph));
}

}  // namespace ragstone::index

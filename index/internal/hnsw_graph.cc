#include "index/internal/hnsw_graph.h"

#include <algorithm>
#include <span>
#include <utility>

#include "index/internal/vectors/segment.h"

namespace ragstone::index {
namespace {

constexpr uint32_t kEfConstruction = 120;
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

  Result<size_t> Search(const float* query, SequenceNumber sequence, size_t limit,
                        TopChunks* top) const override {
    const auto visible = [&](vectors::RowId row, vectors::Slot) {
      return segment_->version(row).VisibleAt(sequence);
    };
    // Segments that are mostly dead are rewritten, so that nearly all rows pass.
    const vectors::Restriction restriction = {vectors::RowPredicate(visible), rows_.rows(), {}};
    vectors::SearchOptions options;
    options.k = limit;
    if (!graph_->has_exact()) options.reader = &rows_;
    std::vector<vectors::Hit> hits;
    RETURN_IF_ERROR(graph_->Search(query, options, &restriction, &hits));
    for (const vectors::Hit& hit : hits) {
      top->Offer({segment_->chunk(hit.row), segment_->version(hit.row).document, -hit.distance});
    }
    return hits.size();
  }

  uint64_t bytes() const override { return graph_->bytes(); }

 private:
  const std::shared_ptr<const Segment> segment_;
  const SegmentRows rows_;
  const std::unique_ptr<vectors::Segment> graph_;
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
  return std::unique_ptr<HnswGraph>(new SegmentGraph(std::move(segment), std::move(built).value()));
}

}  // namespace ragstone::index

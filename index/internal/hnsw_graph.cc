#include "index/internal/hnsw_graph.h"

#include <faiss/IndexHNSW.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/IDSelector.h>
#include <omp.h>

#include <algorithm>
#include <exception>
#include <string>

namespace ragstone::index {
namespace {

constexpr int kLinks = 16;
constexpr int kEfConstruction = 120;
constexpr int kEfSearch = 128;
// The walk's candidate list is sized by the graph's own field, and a search may only use less.
constexpr int kEfSearchMax = 512;
// Each add initialises one lock for every row there is; batches spread that.
constexpr size_t kAddRows = 1024;

// Inner products with rows of a segment. `sign` is -1 where smaller means nearer.
class SegmentDistance : public faiss::DistanceComputer {
 public:
  SegmentDistance(const Segment* segment, float sign)
      : segment_(segment), sign_(sign), dot_(BestDot()) {}
  void set_query(const float* query) override { query_ = query; }
  float operator()(idx_t row) override {
    return sign_ * dot_(query_, segment_->vector(static_cast<size_t>(row)), segment_->dimensions());
  }
  float symmetric_dis(idx_t a, idx_t b) override {
    return sign_ * dot_(segment_->vector(static_cast<size_t>(a)),
                        segment_->vector(static_cast<size_t>(b)), segment_->dimensions());
  }

 private:
  const Segment* const segment_;
  const float sign_;
  const DotFunction dot_;
  const float* query_ = nullptr;
};

// Presents a segment's rows to FAISS as stored vectors.
class SegmentStorage : public faiss::Index {
 public:
  explicit SegmentStorage(const Segment* segment)
      : faiss::Index(static_cast<idx_t>(segment->dimensions()), faiss::METRIC_INNER_PRODUCT),
        segment_(segment) {}
  void add(idx_t count, const float*) override { ntotal += count; }  // the rows are there already
  void reset() override { ntotal = 0; }
  void search(idx_t, const float*, idx_t, float*, idx_t*,
              const faiss::SearchParameters*) const override {
    throw faiss::FaissException("the segment is scanned by Segment::Scan");
  }
  // FAISS negates inner products itself.
  faiss::DistanceComputer* get_distance_computer() const override {
    return new SegmentDistance(segment_, 1.0f);
  }

 private:
  const Segment* const segment_;
};

class VisibleRows : public faiss::IDSelector {
 public:
  VisibleRows(const Segment* segment, SequenceNumber sequence)
      : segment_(segment), sequence_(sequence) {}
  bool is_member(idx_t row) const override {
    return segment_->version(static_cast<size_t>(row)).VisibleAt(sequence_);
  }

 private:
  const Segment* const segment_;
  const SequenceNumber sequence_;
};

class FaissGraph : public HnswGraph {
 public:
  explicit FaissGraph(std::shared_ptr<const Segment> segment)
      : segment_(std::move(segment)), storage_(segment_.get()), index_(&storage_, kLinks) {
    index_.hnsw.efConstruction = kEfConstruction;
    index_.hnsw.efSearch = kEfSearchMax;
  }

  // False if stopped.
  bool Add(const std::atomic<bool>& stop) {
    omp_set_num_threads(1);  // of this thread's regions: builds run beside searches
    const size_t rows = segment_->rows();
    const size_t dimensions = segment_->dimensions();
    std::vector<float> batch(std::min(rows, kAddRows) * dimensions);
    for (size_t begin = 0; begin < rows; begin += kAddRows) {
      if (stop.load()) return false;
      const size_t end = std::min(rows, begin + kAddRows);
      for (size_t row = begin; row < end; ++row) {
        std::copy_n(segment_->vector(row), dimensions, batch.data() + (row - begin) * dimensions);
      }
      index_.add(static_cast<faiss::Index::idx_t>(end - begin), batch.data());
    }
    FindUnreachable();
    return true;
  }

  Result<size_t> Search(const float* query, SequenceNumber sequence, size_t limit,
                        TopChunks* top) const override {
    try {
      return SearchOrThrow(query, sequence, limit, top);
    } catch (const std::exception& error) {
      return Internal(std::string("search of the vector graph failed: ") + error.what());
    }
  }

  uint64_t bytes() const override {
    const faiss::HNSW& hnsw = index_.hnsw;
    return hnsw.neighbors.size() * sizeof(hnsw.neighbors[0]) +
           hnsw.offsets.size() * sizeof(hnsw.offsets[0]) +
           hnsw.levels.size() * sizeof(hnsw.levels[0]);
  }

 private:
  size_t SearchOrThrow(const float* query, SequenceNumber sequence, size_t limit,
                       TopChunks* top) const {
    VisibleRows visible(segment_.get(), sequence);
    faiss::SearchParametersHNSW parameters;
    parameters.sel = &visible;
    parameters.efSearch =
        std::min(kEfSearchMax, std::max(kEfSearch, static_cast<int>(limit) + kEfSearch / 2));
    SegmentDistance distance(segment_.get(), -1.0f);
    distance.set_query(query);
    faiss::VisitedTable visited(static_cast<int>(segment_->rows()));
    std::vector<faiss::Index::idx_t> rows(limit, -1);
    std::vector<float> distances(limit);
    // Not index->search(): that opens an OpenMP region and counts in a global without a lock.
    index_.hnsw.search(distance, static_cast<int>(limit), rows.data(), distances.data(), visited,
                       &parameters);
    size_t found = 0;
    for (size_t i = 0; i < limit; ++i) {
      if (rows[i] < 0) continue;
      const size_t row = static_cast<size_t>(rows[i]);
      top->Offer({segment_->chunk(row), segment_->version(row).document, -distances[i]});
      ++found;
    }
    for (const uint32_t row : unreachable_) {
      const VersionState& version = segment_->version(row);
      if (!version.VisibleAt(sequence)) continue;
      top->Offer({segment_->chunk(row), version.document, -distance(row)});
      ++found;
    }
    return found;
  }

  // Pruning of links can leave rows that no walk arrives at; they are few and searched one by one.
  void FindUnreachable() {
    const faiss::HNSW& hnsw = index_.hnsw;
    const size_t rows = segment_->rows();
    if (rows == 0 || hnsw.entry_point < 0) return;
    std::vector<bool> seen(rows, false);
    std::vector<size_t> stack = {static_cast<size_t>(hnsw.entry_point)};
    seen[stack.back()] = true;
    while (!stack.empty()) {
      const size_t row = stack.back();
      stack.pop_back();
      size_t begin = 0;
      size_t end = 0;
      hnsw.neighbor_range(static_cast<faiss::Index::idx_t>(row), 0, &begin, &end);
      for (size_t i = begin; i < end && hnsw.neighbors[i] >= 0; ++i) {
        const size_t next = static_cast<size_t>(hnsw.neighbors[i]);
        if (seen[next]) continue;
        seen[next] = true;
        stack.push_back(next);
      }
    }
    for (size_t row = 0; row < rows; ++row) {
      if (!seen[row]) unreachable_.push_back(static_cast<uint32_t>(row));
    }
  }

  const std::shared_ptr<const Segment> segment_;
  SegmentStorage storage_;
  faiss::IndexHNSW index_;
  std::vector<uint32_t> unreachable_;
};

}  // namespace

Result<std::unique_ptr<HnswGraph>> HnswGraph::Build(std::shared_ptr<const Segment> segment,
                                                    const std::atomic<bool>& stop) {
  try {
    auto graph = std::make_unique<FaissGraph>(std::move(segment));
    if (!graph->Add(stop)) return std::unique_ptr<HnswGraph>();
    return std::unique_ptr<HnswGraph>(std::move(graph));
  } catch (const std::exception& error) {
    return Internal(std::string("building a vector graph failed: ") + error.what());
  }
}

}  // namespace ragstone::index

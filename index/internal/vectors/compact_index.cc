#include "index/internal/vectors/compact_index.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexLSH.h>
#include <faiss/impl/IDSelector.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <exception>

namespace ragstone::index::vectors {
namespace {

constexpr size_t kCodesOfPart = 256;
constexpr size_t kTrainRowsMin = 39 * kCodesOfPart;
constexpr size_t kPartDimensions = 4;  // values that share a byte
constexpr size_t kAddRows = 4096;
constexpr size_t kTrainRowsOfList = 39;
constexpr size_t kTrainRows = 20'000;
// One more list for each so many candidates: what misses one of the best is a list that was left
// out as often as a candidate.
constexpr size_t kCandidatesOfList = 8;
// Where fewer pass, all lists are searched: those of so few rows are far apart.
constexpr double kAllListsShare = 0.1;

using Id = faiss::Index::idx_t;

// The vector as FAISS is given it: of length one under cosine, zeros to a whole number of parts.
void Shape(const VectorSpec& spec, VectorData vector, size_t size, float* out) {
  const auto* values = static_cast<const float*>(vector);
  std::fill(std::copy(values, values + spec.dimensions, out), out + size, 0.0f);
  if (spec.metric == Metric::kCosine) Normalise(out, spec.dimensions);
}

// Rows `begin`, `begin + step`, ... of a source.
std::vector<float> ShapedRows(const VectorSpec& spec, const RowSource& source, size_t begin,
                              size_t count, size_t step, size_t size) {
  std::vector<float> rows(count * size);
  for (size_t i = 0; i < count; ++i) {
    Shape(spec, source.vector(begin + i * step), size, rows.data() + i * size);
  }
  return rows;
}

Status FaissFailed(const std::exception& error) {
  return Internal(std::string("FAISS failed on a compact vector index: ") + error.what());
}

// What both methods share: row ids, and the last ranking.
class Base : public CompactIndex {
 public:
  const VectorSpec& spec() const override { return spec_; }
  size_t rows() const override { return ids_.size(); }
  RowId row_id(Slot slot) const override { return ids_[slot]; }

  Status Search(VectorData query, const SearchOptions& options, const Restriction* restriction,
                std::vector<Hit>* hits) const override {
    // So many candidates are all rows, which are not all taken at once.
    if (options.ef >= rows() && options.reader != nullptr) {
      return SearchExact(query, options, restriction, hits);
    }
    const size_t asked = std::min(options.ef > 0 ? options.ef : ef(), kEfMax);
    const size_t wanted = std::max({asked, options.rescore, 10 * options.k, kEfMin});
    RETURN_IF_ERROR(FindCandidates(query, std::min(wanted, rows()), restriction, hits));
    if (options.reader != nullptr && !hits->empty()) {
      ASSIGN_OR_RETURN(ExactDistances read, ExactDistances::Make(spec_, query, hits->size()));
      constexpr size_t kAtOnce = ExactDistances::kRowsAtOnce;
      for (size_t begin = 0; begin < hits->size(); begin += kAtOnce) {
        const size_t count = std::min(kAtOnce, hits->size() - begin);
        RETURN_IF_ERROR(read.Measure(*options.reader, std::span<Hit>(*hits).subspan(begin, count)));
      }
    }
    KeepNearest(options.k, hits);
    return OkStatus();
  }

  Status SearchExact(VectorData query, const SearchOptions& options, const Restriction* restriction,
                     std::vector<Hit>* hits) const override {
    hits->clear();
    if (options.reader == nullptr) {
      RETURN_IF_ERROR(FindCandidates(query, rows(), restriction, hits));
      KeepNearest(options.k, hits);
      return OkStatus();
    }
    ASSIGN_OR_RETURN(ExactDistances read, ExactDistances::Make(spec_, query, rows()));
    std::vector<Hit> block;
    for (Slot slot = 0; slot < rows();) {
      block.clear();
      for (; slot < rows() && block.size() < ExactDistances::kRowsAtOnce; ++slot) {
        if (Allows(restriction, slot)) block.push_back({ids_[slot], slot, 0});
      }
      RETURN_IF_ERROR(read.Measure(*options.reader, block));
      hits->insert(hits->end(), block.begin(), block.end());
      KeepNearest(options.k, hits);
    }
    return OkStatus();
  }

 protected:
  Base(const VectorSpec& spec, const RowSource& source, size_t size) : spec_(spec), size_(size) {
    for (size_t i = 0; i < source.rows(); ++i) ids_.push_back(source.id(i));
  }
  bool Allows(const Restriction* restriction, Slot slot) const {
    return restriction == nullptr || restriction->allowed(ids_[slot], slot);
  }
  // About the best min(wanted, matches) by their codes, in any order.
  virtual Status FindCandidates(VectorData query, size_t wanted, const Restriction* restriction,
                                std::vector<Hit>* hits) const = 0;

  const VectorSpec spec_;
  const size_t size_;  // dimensions with zeros behind them
  std::vector<RowId> ids_;
};

class IvfPq : public Base {
 public:
  IvfPq(const VectorSpec& spec, const RowSource& source, const CompactOptions& options)
      : Base(spec, source,
             (spec.dimensions + kPartDimensions - 1) / kPartDimensions * kPartDimensions),
        metric_(spec.metric == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT),
        quantizer_(static_cast<Id>(size_), metric_),
        index_(&quantizer_, size_, ListsOf(source.rows(), options), size_ / kPartDimensions, 8,
               metric_) {
    omp_set_num_threads(1);  // of this thread's regions: builds run beside searches
    index_.cp.niter = 10;
    index_.pq.cp.niter = 10;
    index_.use_precomputed_table = -1;  // would take more memory than the codes
    const size_t sample_max = options.train_rows_max > 0
                                  ? options.train_rows_max
                                  : std::max<size_t>(kTrainRows, kTrainRowsOfList * index_.nlist);
    const size_t step = std::max<size_t>(1, source.rows() / sample_max);
    const size_t sample = source.rows() / step;
    const std::vector<float> train = ShapedRows(spec, source, 0, sample, step, size_);
    index_.train(static_cast<Id>(sample), train.data());
    for (size_t begin = 0; begin < source.rows(); begin += kAddRows) {
      const size_t count = std::min(kAddRows, source.rows() - begin);
      const std::vector<float> rows = ShapedRows(spec, source, begin, count, 1, size_);
      index_.add(static_cast<Id>(count), rows.data());
    }
  }

  uint64_t bytes() const override {
    return rows() * (index_.code_size + sizeof(Id) + sizeof(RowId)) +
           sizeof(float) * size_ * (index_.nlist + kCodesOfPart);
  }

 protected:
  Status FindCandidates(VectorData query, size_t wanted, const Restriction* restriction,
                        std::vector<Hit>* hits) const override {
    try {
      std::vector<float> shaped(size_);
      Shape(spec_, query, size_, shaped.data());
      // Lists are added until there are as many candidates as wanted, or no more lists.
      for (size_t lists = FirstLists(wanted, restriction);;
           lists = std::min<size_t>(index_.nlist, lists * 4)) {
        SearchLists(shaped.data(), lists, wanted, restriction, hits);
        if (hits->size() >= wanted || lists == index_.nlist) return OkStatus();
      }
    } catch (const std::exception& error) {
      return FaissFailed(error);
    }
  }

 private:
  // What FAISS asks whether a row may be returned.
  class Selector : public faiss::IDSelector {
   public:
    Selector(const IvfPq* index, const Restriction* restriction)
        : index_(index), restriction_(restriction) {}
    bool is_member(Id id) const override {
      return index_->Allows(restriction_, static_cast<Slot>(id));
    }

   private:
    const IvfPq* const index_;
    const Restriction* const restriction_;
  };

  static size_t ListsOf(size_t rows, const CompactOptions& options) {
    if (options.lists > 0) return options.lists;
    return std::max<size_t>(1, static_cast<size_t>(std::sqrt(static_cast<double>(rows))));
  }

  size_t FirstLists(size_t wanted, const Restriction* restriction) const {
    double lists = static_cast<double>(wanted) / kCandidatesOfList;
    if (restriction != nullptr) {
      const double share = static_cast<double>(restriction->matches) / static_cast<double>(rows());
      if (share <= kAllListsShare) return index_.nlist;
      lists /= std::min(share, 1.0);
    }
    return std::min<size_t>(index_.nlist, static_cast<size_t>(lists) + 1);
  }

  void SearchLists(const float* query, size_t lists, size_t wanted, const Restriction* restriction,
                   std::vector<Hit>* hits) const {
    std::vector<Id> list_ids(lists), found(wanted, -1);
    std::vector<float> list_distances(lists), distances(wanted);
    quantizer_.search(1, query, static_cast<Id>(lists), list_distances.data(), list_ids.data());
    const Selector selector(this, restriction);
    faiss::IVFSearchParameters parameters;
    parameters.nprobe = lists;
    parameters.sel = restriction == nullptr ? nullptr : const_cast<Selector*>(&selector);
    // Not index_.search(): that counts in a global without a lock.
    faiss::IndexIVFStats counted;
    index_.search_preassigned(1, query, static_cast<Id>(wanted), list_ids.data(),
                              list_distances.data(), distances.data(), found.data(), false,
                              &parameters, &counted);
    hits->clear();
    for (size_t i = 0; i < wanted; ++i) {
      if (found[i] < 0) continue;
      const Slot slot = static_cast<Slot>(found[i]);
      const float distance = metric_ == faiss::METRIC_L2 ? distances[i] : -distances[i];
      hits->push_back({ids_[slot], slot, distance});
    }
  }

  const faiss::MetricType metric_;
  faiss::IndexFlat quantizer_;
  faiss::IndexIVFPQ index_;
};

// FAISS's signs after a rotation, compared by our kernels.
class Lsh : public Base {
 public:
  Lsh(const VectorSpec& spec, const RowSource& source, const CompactOptions& options, Codes codes)
      : Base(spec, source, spec.dimensions),
        index_(static_cast<Id>(size_), static_cast<int>(BitsOf(spec, options))),
        codes_(std::move(codes)) {
    std::vector<uint8_t> bits(kAddRows * index_.code_size);
    for (size_t begin = 0; begin < source.rows(); begin += kAddRows) {
      const size_t count = std::min(kAddRows, source.rows() - begin);
      const std::vector<float> rows = ShapedRows(spec, source, begin, count, 1, size_);
      index_.sa_encode(static_cast<Id>(count), rows.data(), bits.data());
      for (size_t i = 0; i < count; ++i) {
        codes_.Encode(static_cast<Slot>(begin + i), bits.data() + i * index_.code_size);
      }
    }
  }
  static uint32_t BitsOf(const VectorSpec& spec, const CompactOptions& options) {
    return options.bits > 0 ? options.bits : 2 * spec.dimensions;
  }

  uint64_t bytes() const override {
    return codes_.bytes() + rows() * sizeof(RowId) + index_.rrot.A.size() * sizeof(float);
  }

 protected:
  Status FindCandidates(VectorData query, size_t wanted, const Restriction* restriction,
                        std::vector<Hit>* hits) const override {
    std::vector<float> shaped(size_);
    Shape(spec_, query, size_, shaped.data());
    std::vector<uint8_t> bits(index_.code_size);
    try {
      index_.sa_encode(1, shaped.data(), bits.data());
    } catch (const std::exception& error) {
      return FaissFailed(error);
    }
    CodedQuery coded;
    codes_.Prepare(bits.data(), &coded);
    TopSlots top(wanted);
    constexpr size_t kBlock = 64;
    Slot block[kBlock];
    float distances[kBlock];
    for (Slot slot = 0; slot < rows();) {
      size_t count = 0;
      for (; slot < rows() && count < kBlock; ++slot) {
        if (Allows(restriction, slot)) block[count++] = slot;
      }
      codes_.Distances(coded, block, count, distances);
      for (size_t i = 0; i < count; ++i) top.Offer(distances[i], ids_[block[i]], block[i]);
    }
    *hits = top.Sorted();
    return OkStatus();
  }

 private:
  faiss::IndexLSH index_;
  Codes codes_;
};

}  // namespace

Result<std::unique_ptr<CompactIndex>> CompactIndex::Build(const VectorSpec& spec,
                                                          const RowSource& source,
                                                          const CompactOptions& options) {
  RETURN_IF_ERROR(CheckSpec(spec));
  const bool lsh = options.method == Method::kLsh;
  if (spec.metric == Metric::kHamming || (!lsh && options.method != Method::kIvfPq) ||
      source.rows() > kSegmentRowsMax || options.bits > 8 * kDimensionsMax) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "a compact index is IVF-PQ or LSH over vectors of numbers");
  }
  if (!lsh && source.rows() < kTrainRowsMin) {
    return FailedPrecondition(Reason::kInvalidArgument,
                              "IVF-PQ learns from at least " + std::to_string(kTrainRowsMin) +
                                  " vectors, there are " + std::to_string(source.rows()) +
                                  "; use a graph or a scan");
  }
  try {
    if (!lsh) return std::unique_ptr<CompactIndex>(new IvfPq(spec, source, options));
    CodePlan plan;
    plan.kind = CodeKind::kBits;
    plan.metric = Metric::kHamming;
    plan.dimensions = Lsh::BitsOf(spec, options);
    ASSIGN_OR_RETURN(Codes codes, Codes::Make(plan, source.rows()));
    return std::unique_ptr<CompactIndex>(new Lsh(spec, source, options, std::move(codes)));
  } catch (const std::exception& error) {
    return FaissFailed(error);
  }
}

}  // namespace ragstone::index::vectors

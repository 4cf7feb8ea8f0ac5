#include "index/internal/vectors/compact_index.h"

#include <dlfcn.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexLSH.h>
#include <faiss/impl/IDSelector.h>
#include <faiss/invlists/InvertedLists.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <numeric>

#include "base/caught.h"
#include "index/internal/vectors/compact_io.h"

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

constexpr std::string_view kFaiss = "a compact vector index";

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

// Builds run beside searches: no other threads in this thread's OpenMP regions, nor in OpenBLAS, if
// that is the BLAS that FAISS was given: its threads spin while they wait for each other.
void UseOneThread() {
  omp_set_num_threads(1);
  [[maybe_unused]] static const bool once = [] {
    void* const found = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
    if (found != nullptr) reinterpret_cast<void (*)(int)>(found)(1);
    return true;
  }();
}

bool AllFinite(const float* values, size_t count) {
  return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

// The rows of a source by their numbers, so that they are found without a table.
class Ascending : public RowSource {
 public:
  explicit Ascending(const RowSource& source) : source_(source), order_(source.rows()) {
    std::iota(order_.begin(), order_.end(), 0);
    std::sort(order_.begin(), order_.end(),
              [&](Slot a, Slot b) { return source.id(a) < source.id(b); });
  }
  size_t rows() const override { return order_.size(); }
  RowId id(size_t i) const override { return source_.id(order_[i]); }
  VectorData vector(size_t i) const override { return source_.vector(order_[i]); }

 private:
  const RowSource& source_;
  std::vector<Slot> order_;
};

std::vector<RowId> IdsOf(const RowSource& source) {
  std::vector<RowId> ids(source.rows());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = source.id(i);
  return ids;
}

// What both methods share: row ids, and the last ranking.
class Base : public CompactIndex {
 public:
  const VectorSpec& spec() const override { return spec_; }
  size_t rows() const override { return ids_.size(); }
  RowId row_id(Slot slot) const override { return ids_[slot]; }
  Slot Find(RowId row) const override {
    const auto at = std::lower_bound(ids_.begin(), ids_.end(), row);
    return at == ids_.end() || *at != row ? kNoSlot : static_cast<Slot>(at - ids_.begin());
  }

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

  Status Write(const SegmentWriteOptions& options, ChunkSink* sink) const override {
    PartWriter parts(kCompactFormat, options.stamp, sink);
    const CompactHeader header{options.covers_seq, method(), spec_, rows(), ef()};
    RETURN_IF_ERROR(parts.WriteHeader(EncodeCompactHeader(header)));
    RETURN_IF_ERROR(parts.Write(std::span<const RowId>(ids_)));
    RETURN_IF_ERROR(WriteCodes(&parts));
    return parts.Flush();
  }

 protected:
  Base(const VectorSpec& spec, std::vector<RowId> ids, size_t size)
      : spec_(spec), size_(size), ids_(std::move(ids)) {}
  virtual Method method() const = 0;
  virtual Status WriteCodes(PartWriter* parts) const = 0;
  bool Allows(const Restriction* restriction, Slot slot) const {
    return restriction == nullptr || restriction->allowed(ids_[slot], slot);
  }
  // About the best min(wanted, matches) by their codes, in any order.
  virtual Status FindCandidates(VectorData query, size_t wanted, const Restriction* restriction,
                                std::vector<Hit>* hits) const = 0;

  const VectorSpec spec_;
  const size_t size_;  // dimensions with zeros behind them
  const std::vector<RowId> ids_;
};

class IvfPq : public Base {
 public:
  static size_t SizeOf(const VectorSpec& spec) {
    return (spec.dimensions + kPartDimensions - 1) / kPartDimensions * kPartDimensions;
  }

  IvfPq(const VectorSpec& spec, const RowSource& source, const CompactOptions& options)
      : Base(spec, IdsOf(source), SizeOf(spec)), metric_(MetricOf(spec)) {
    UseOneThread();
    auto quantizer = std::make_unique<faiss::IndexFlat>(static_cast<Id>(size_), metric_);
    index_ =
        std::make_unique<faiss::IndexIVFPQ>(quantizer.get(), size_, ListsOf(source.rows(), options),
                                            size_ / kPartDimensions, kCodeBits, metric_);
    index_->own_fields = true;
    quantizer.release();
    index_->cp.niter = 10;
    index_->pq.cp.niter = 10;
    index_->use_precomputed_table = kNoTable;
    const size_t sample_max = options.train_rows_max > 0
                                  ? options.train_rows_max
                                  : std::max<size_t>(kTrainRows, kTrainRowsOfList * index_->nlist);
    const size_t step = std::max<size_t>(1, source.rows() / sample_max);
    const size_t sample = source.rows() / step;
    const std::vector<float> train = ShapedRows(spec, source, 0, sample, step, size_);
    index_->train(static_cast<Id>(sample), train.data());
    for (size_t begin = 0; begin < source.rows(); begin += kAddRows) {
      const size_t count = std::min(kAddRows, source.rows() - begin);
      const std::vector<float> rows = ShapedRows(spec, source, begin, count, 1, size_);
      index_->add(static_cast<Id>(count), rows.data());
    }
  }

  // Of what was stored.
  IvfPq(const VectorSpec& spec, std::vector<RowId> ids, std::unique_ptr<faiss::IndexIVFPQ> index)
      : Base(spec, std::move(ids), SizeOf(spec)),
        metric_(MetricOf(spec)),
        index_(std::move(index)) {
    index_->use_precomputed_table = kNoTable;
  }
  // Whether searches can rely on it.
  bool IsSound() const {
    const faiss::IndexIVFPQ& index = *index_;
    const size_t parts = size_ / kPartDimensions;
    const auto* const lists = dynamic_cast<const faiss::ArrayInvertedLists*>(index.invlists);
    const auto* const quantizer = dynamic_cast<const faiss::IndexFlat*>(index.quantizer);
    if (lists == nullptr || quantizer == nullptr) return false;
    if (static_cast<size_t>(index.d) != size_ || index.metric_type != metric_ ||
        static_cast<size_t>(index.ntotal) != rows() || !index.is_trained || !index.by_residual ||
        index.pq.d != size_ || index.pq.M != parts || index.pq.nbits != kCodeBits ||
        index.code_size != parts || index.nlist == 0) {
      return false;
    }
    if (static_cast<size_t>(quantizer->d) != size_ || quantizer->metric_type != metric_ ||
        static_cast<size_t>(quantizer->ntotal) != index.nlist ||
        quantizer->codes.size() != index.nlist * size_ * sizeof(float) ||
        index.pq.centroids.size() != size_ * kCodesOfPart) {
      return false;
    }
    return AllFinite(quantizer->get_xb(), index.nlist * size_) &&
           AllFinite(index.pq.centroids.data(), index.pq.centroids.size()) && HasAllRows(*lists);
  }

  uint64_t bytes() const override {
    return rows() * (index_->code_size + sizeof(Id) + sizeof(RowId)) +
           sizeof(float) * size_ * (index_->nlist + kCodesOfPart);
  }

 protected:
  Method method() const override { return Method::kIvfPq; }
  Status WriteCodes(PartWriter* parts) const override { return WriteFaiss(*index_, parts); }
  Status FindCandidates(VectorData query, size_t wanted, const Restriction* restriction,
                        std::vector<Hit>* hits) const override {
    try {
      std::vector<float> shaped(size_);
      Shape(spec_, query, size_, shaped.data());
      // Lists are added until there are as many candidates as wanted, or no more lists.
      for (size_t lists = FirstLists(wanted, restriction);;
           lists = std::min<size_t>(index_->nlist, lists * 4)) {
        SearchLists(shaped.data(), lists, wanted, restriction, hits);
        if (hits->size() >= wanted || lists == index_->nlist) return OkStatus();
      }
    } catch (const std::exception& error) {
      return StatusOf(error, kFaiss);
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

  static faiss::MetricType MetricOf(const VectorSpec& spec) {
    return spec.metric == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT;
  }

  // Each once.
  bool HasAllRows(const faiss::ArrayInvertedLists& lists) const {
    if (lists.nlist != index_->nlist || lists.code_size != index_->code_size) return false;
    std::vector<bool> seen(rows(), false);
    size_t count = 0;
    for (size_t list = 0; list < lists.nlist; ++list) {
      if (lists.codes[list].size() != lists.ids[list].size() * lists.code_size) return false;
      for (const Id id : lists.ids[list]) {
        if (id < 0 || static_cast<size_t>(id) >= rows() || seen[static_cast<size_t>(id)]) {
          return false;
        }
        seen[static_cast<size_t>(id)] = true;
        ++count;
      }
    }
    return count == rows();
  }

  static size_t ListsOf(size_t rows, const CompactOptions& options) {
    if (options.lists > 0) return options.lists;
    return std::max<size_t>(1, static_cast<size_t>(std::sqrt(static_cast<double>(rows))));
  }

  size_t FirstLists(size_t wanted, const Restriction* restriction) const {
    double lists = static_cast<double>(wanted) / kCandidatesOfList;
    if (restriction != nullptr) {
      const double share = static_cast<double>(restriction->matches) / static_cast<double>(rows());
      if (share <= kAllListsShare) return index_->nlist;
      lists /= std::min(share, 1.0);
    }
    return std::min<size_t>(index_->nlist, static_cast<size_t>(lists) + 1);
  }

  void SearchLists(const float* query, size_t lists, size_t wanted, const Restriction* restriction,
                   std::vector<Hit>* hits) const {
    std::vector<Id> list_ids(lists), found(wanted, -1);
    std::vector<float> list_distances(lists), distances(wanted);
    index_->quantizer->search(1, query, static_cast<Id>(lists), list_distances.data(),
                              list_ids.data());
    const Selector selector(this, restriction);
    faiss::IVFSearchParameters parameters;
    parameters.nprobe = lists;
    parameters.sel = restriction == nullptr ? nullptr : const_cast<Selector*>(&selector);
    // Not index_->search(): that counts in a global without a lock.
    faiss::IndexIVFStats counted;
    index_->search_preassigned(1, query, static_cast<Id>(wanted), list_ids.data(),
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

  // A table of distances would take more memory than the codes.
  static constexpr int kNoTable = -1;
  static constexpr size_t kCodeBits = 8;
  const faiss::MetricType metric_;
  std::unique_ptr<faiss::IndexIVFPQ> index_;
};

// FAISS's signs after a rotation, compared by our kernels.
class Lsh : public Base {
 public:
  Lsh(const VectorSpec& spec, const RowSource& source, uint32_t bit_count, Codes codes)
      : Base(spec, IdsOf(source), spec.dimensions),
        index_(
            std::make_unique<faiss::IndexLSH>(static_cast<Id>(size_), static_cast<int>(bit_count))),
        codes_(std::move(codes)) {
    std::vector<uint8_t> bits(kAddRows * index_->code_size);
    for (size_t begin = 0; begin < source.rows(); begin += kAddRows) {
      const size_t count = std::min(kAddRows, source.rows() - begin);
      const std::vector<float> rows = ShapedRows(spec, source, begin, count, 1, size_);
      index_->sa_encode(static_cast<Id>(count), rows.data(), bits.data());
      for (size_t i = 0; i < count; ++i) {
        codes_.Encode(static_cast<Slot>(begin + i), bits.data() + i * index_->code_size);
      }
    }
  }
  // Of what was stored.
  Lsh(const VectorSpec& spec, std::vector<RowId> ids, std::unique_ptr<faiss::IndexLSH> index,
      Codes codes)
      : Base(spec, std::move(ids), spec.dimensions),
        index_(std::move(index)),
        codes_(std::move(codes)) {}
  // Whether an index that was stored for vectors of this kind can be relied on.
  static bool IsSound(const faiss::IndexLSH& index, const VectorSpec& spec) {
    const auto size = static_cast<size_t>(spec.dimensions);
    const auto bits = static_cast<size_t>(index.nbits);
    const faiss::RandomRotationMatrix& turn = index.rrot;
    return static_cast<size_t>(index.d) == size && index.nbits > 0 && bits <= 8 * kDimensionsMax &&
           index.rotate_data && !index.train_thresholds && index.code_size == (bits + 7) / 8 &&
           static_cast<size_t>(turn.d_in) == size && static_cast<size_t>(turn.d_out) == bits &&
           turn.is_trained && !turn.have_bias && turn.A.size() == size * bits &&
           AllFinite(turn.A.data(), turn.A.size());
  }
  // The codes of so many rows, empty.
  static Result<Codes> CodesOf(uint32_t bits, size_t rows) {
    CodePlan plan;
    plan.kind = CodeKind::kBits;
    plan.metric = Metric::kHamming;
    plan.dimensions = bits;
    return Codes::Make(plan, rows);
  }

  uint64_t bytes() const override {
    return codes_.bytes() + rows() * sizeof(RowId) + index_->rrot.A.size() * sizeof(float);
  }

 protected:
  Method method() const override { return Method::kLsh; }
  Status WriteCodes(PartWriter* parts) const override {
    RETURN_IF_ERROR(WriteFaiss(*index_, parts));
    return parts->Write(codes_.row_bytes());
  }
  Status FindCandidates(VectorData query, size_t wanted, const Restriction* restriction,
                        std::vector<Hit>* hits) const override {
    std::vector<float> shaped(size_);
    Shape(spec_, query, size_, shaped.data());
    std::vector<uint8_t> bits(index_->code_size);
    try {
      index_->sa_encode(1, shaped.data(), bits.data());
    } catch (const std::exception& error) {
      return StatusOf(error, kFaiss);
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
  std::unique_ptr<faiss::IndexLSH> index_;
  Codes codes_;
};

// What chunk 0 has said comes.
Result<std::unique_ptr<CompactIndex>> ReadCodes(const CompactHeader& header, PartReader* parts) {
  ASSIGN_OR_RETURN(std::vector<RowId> ids, parts->ReadRowIds(header.rows));
  if (std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) != ids.end()) {
    return DamagedIndex("rows that do not ascend");
  }
  if (header.method == Method::kIvfPq) {
    ASSIGN_OR_RETURN(auto stored, ReadFaissAs<faiss::IndexIVFPQ>(parts));
    auto index = std::make_unique<IvfPq>(header.spec, std::move(ids), std::move(stored));
    if (!index->IsSound()) return DamagedIndex("its lists");
    return std::unique_ptr<CompactIndex>(std::move(index));
  }
  ASSIGN_OR_RETURN(auto stored, ReadFaissAs<faiss::IndexLSH>(parts));
  if (!Lsh::IsSound(*stored, header.spec)) return DamagedIndex("its rotation");
  ASSIGN_OR_RETURN(Codes codes, Lsh::CodesOf(static_cast<uint32_t>(stored->nbits), header.rows));
  RETURN_IF_ERROR(parts->Read(codes.row_bytes()));
  return std::unique_ptr<CompactIndex>(
      new Lsh(header.spec, std::move(ids), std::move(stored), std::move(codes)));
}

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
    const Ascending rows(source);
    if (!lsh) return std::unique_ptr<CompactIndex>(new IvfPq(spec, rows, options));
    const uint32_t bits = options.bits > 0 ? options.bits : 2 * spec.dimensions;
    ASSIGN_OR_RETURN(Codes codes, Lsh::CodesOf(bits, source.rows()));
    return std::unique_ptr<CompactIndex>(new Lsh(spec, rows, bits, std::move(codes)));
  } catch (const std::exception& error) {
    return StatusOf(error, kFaiss);
  }
}

Result<LoadedIndex<CompactIndex>> CompactIndex::Read(const ChunkSource& source) {
  LoadedIndex<CompactIndex> loaded;
  PartReader parts(kCompactFormat, source);
  ASSIGN_OR_RETURN(const std::string bytes, parts.ReadHeader());
  ASSIGN_OR_RETURN(const CompactHeader header, DecodeCompactHeader(bytes));
  loaded.stamp = parts.stamp();
  loaded.covers_seq = header.covers_seq;
  ASSIGN_OR_RETURN(loaded.index, ReadCodes(header, &parts));
  loaded.index->set_ef(std::clamp<size_t>(header.ef, kEfMin, kEfMax));
  return loaded;
}

}  // namespace ragstone::index::vectors

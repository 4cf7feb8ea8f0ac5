#include "index/internal/vectors/growing_segment.h"

#include <algorithm>
#include <limits>

namespace ragstone::index::vectors {
namespace {

constexpr size_t kFirstRows = 16;
constexpr size_t kScanBlock = 64;
// Small collections have no codes beside their rows.
constexpr size_t kBoundedRowsMin = 256;
// Where bounds let more than one in so many rows pass, once so many rows were tried, reading all of
// them at once is faster.
constexpr size_t kKeptPartMax = 3;
constexpr size_t kTriedRows = 2048;

}  // namespace

Result<std::unique_ptr<GrowingSegment>> GrowingSegment::Make(const VectorSpec& spec,
                                                             size_t rows_max) {
  RETURN_IF_ERROR(CheckSpec(spec));
  if (rows_max < 1 || rows_max > kSegmentRowsMax) {
    return InvalidArgument(
        Reason::kInvalidArgument,
        "a growing segment of " + std::to_string(rows_max) + " rows is not possible");
  }
  std::unique_ptr<GrowingSegment> segment(new GrowingSegment());
  segment->spec_ = spec;
  segment->rows_max_ = rows_max;
  segment->plan_.kind = spec.metric == Metric::kHamming ? CodeKind::kBits : CodeKind::kFloat32;
  segment->plan_.metric = spec.metric;
  segment->plan_.dimensions = spec.dimensions;
  for (size_t begin = 0; begin < rows_max;) {
    segment->begins_.push_back(begin);
    begin += segment->ChunkRows(segment->begins_.size() - 1);
  }
  segment->chunks_.resize(segment->begins_.size());
  return segment;
}

size_t GrowingSegment::ChunkRows(size_t chunk) const {
  const size_t whole = HugeBuffer::kPiece / (plan_.units() * kRowUnit);
  return chunk < 16 ? std::min(kFirstRows << chunk, whole) : whole;
}

size_t GrowingSegment::ChunkOf(size_t slot) const {
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), slot);
  return static_cast<size_t>(after - begins_.begin()) - 1;
}

Status GrowingSegment::Append(RowId row, VectorData vector) {
  if (written_ == rows_max_) {
    return ResourceExhausted(Reason::kLimitExceeded,
                             "the growing segment has its " + std::to_string(rows_max_) + " rows");
  }
  const size_t number = ChunkOf(written_);
  std::unique_ptr<Chunk>& chunk = chunks_[number];
  if (chunk == nullptr) {
    auto made = std::make_unique<Chunk>();
    ASSIGN_OR_RETURN(made->codes, Codes::Make(plan_, ChunkRows(number)));
    if (ChunkRows(number) >= kBoundedRowsMin && LowerBounds::Help(spec_)) {
      ASSIGN_OR_RETURN(made->bounds, LowerBounds::Make(spec_, ChunkRows(number)));
    }
    made->ids.resize(ChunkRows(number));
    chunk = std::move(made);
  }
  const size_t at = written_ - begins_[number];
  chunk->codes.Encode(static_cast<Slot>(at), vector);
  if (chunk->bounds.has_value()) {
    const Slot slot = static_cast<Slot>(at);
    chunk->bounds->Encode(slot, reinterpret_cast<const float*>(chunk->codes.RowView(slot).data()));
  }
  chunk->ids[at] = row;
  ++written_;
  return OkStatus();
}

RowId GrowingSegment::id(size_t slot) const {
  const size_t number = ChunkOf(slot);
  return chunks_[number]->ids[slot - begins_[number]];
}

VectorData GrowingSegment::vector(size_t slot) const {
  const size_t number = ChunkOf(slot);
  return chunks_[number]->codes.row_bytes().data() +
         (slot - begins_[number]) * plan_.units() * kRowUnit;
}

uint64_t GrowingSegment::bytes() const {
  uint64_t bytes = 0;
  for (size_t i = 0; i < begins_.size() && begins_[i] < rows(); ++i) {
    bytes += chunks_[i]->codes.bytes() + chunks_[i]->ids.size() * sizeof(RowId);
    if (chunks_[i]->bounds.has_value()) bytes += chunks_[i]->bounds->bytes();
  }
  return bytes;
}

// One search: what was found so far, and how near a row must be to be of interest.
class GrowingSegment::Scan {
 public:
  Scan(const Codes& codes, VectorData query, size_t k, const Restriction* restriction)
      : k_(k), restriction_(restriction), top_(k), vector_(query) {
    codes.Prepare(query, &coded_);
  }

  // The first `rows` rows of a chunk, whose first slot is `begin`.
  void Add(const Chunk& chunk, size_t begin, size_t rows) {
    const bool help = bounded_ < kTriedRows || kept_ * kKeptPartMax < bounded_;
    const bool bounded = help && chunk.bounds.has_value();
    if (bounded && bounded_ == 0) chunk.bounds->Prepare(vector_, &query_);
    for (size_t at = 0; at < rows; at += kScanBlock) {
      const size_t end = std::min(rows, at + kScanBlock);
      size_t count = 0;
      Slot slots[kScanBlock];
      for (size_t slot = at; slot < end; ++slot) slots[count++] = static_cast<Slot>(slot);
      if (bounded) count = KeepNear(chunk, count, slots);
      count = KeepAllowed(chunk, begin, count, slots);
      Measure(chunk, begin, count, slots);
    }
  }
  const std::vector<Hit>& Sorted() { return top_.Sorted(); }

 private:
  size_t KeepNear(const Chunk& chunk, size_t count, Slot* slots) {
    float bounds[kScanBlock];
    chunk.bounds->Distances(query_, slots, count, bounds);
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i) {
      // What overflowed is kept.
      if (!(bounds[i] > bar_)) slots[kept++] = slots[i];
    }
    bounded_ += count;
    kept_ += kept;
    return kept;
  }
  size_t KeepAllowed(const Chunk& chunk, size_t begin, size_t count, Slot* slots) const {
    if (restriction_ == nullptr) return count;
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i) {
      if (restriction_->allowed(chunk.ids[slots[i]], static_cast<Slot>(begin + slots[i]))) {
        slots[kept++] = slots[i];
      }
    }
    return kept;
  }
  void Measure(const Chunk& chunk, size_t begin, size_t count, const Slot* slots) {
    float distances[kScanBlock];
    chunk.codes.Distances(coded_, slots, count, distances);
    for (size_t i = 0; i < count; ++i) {
      if (!top_.Takes(distances[i])) continue;
      top_.Offer(distances[i], chunk.ids[slots[i]], static_cast<Slot>(begin + slots[i]));
      LowerBar(distances[i]);
    }
  }
  // The distance of the kth best, which TopSlots has only now and then.
  void LowerBar(float distance) {
    if (nearest_.size() == k_) {
      if (!(distance < bar_)) return;
      std::pop_heap(nearest_.begin(), nearest_.end());
      nearest_.pop_back();
    }
    nearest_.push_back(distance);
    std::push_heap(nearest_.begin(), nearest_.end());
    if (nearest_.size() == k_) bar_ = nearest_.front();
  }

  const size_t k_;
  const Restriction* const restriction_;
  TopSlots top_;
  const VectorData vector_;
  CodedQuery coded_;
  BoundedQuery query_;
  size_t bounded_ = 0;          // rows whose bounds were asked
  size_t kept_ = 0;             // of them
  std::vector<float> nearest_;  // a heap, the farthest first
  float bar_ = std::numeric_limits<float>::infinity();
};

Status GrowingSegment::Search(VectorData query, const SearchOptions& options,
                              const Restriction* restriction, std::vector<Hit>* hits) const {
  hits->clear();
  const size_t count = rows();
  if (count == 0 || options.k == 0) return OkStatus();
  Scan scan(chunks_[0]->codes, query, options.k, restriction);
  for (size_t number = 0; number < begins_.size() && begins_[number] < count; ++number) {
    const Chunk& chunk = *chunks_[number];
    scan.Add(chunk, begins_[number], std::min(count - begins_[number], chunk.ids.size()));
  }
  *hits = scan.Sorted();
  return OkStatus();
}

Status GrowingSegment::SearchRange(VectorData query, float distance_max,
                                   const SearchOptions& options, const Restriction* restriction,
                                   std::vector<Hit>* hits) const {
  RETURN_IF_ERROR(Search(query, options, restriction, hits));
  const auto beyond = std::find_if(hits->begin(), hits->end(),
                                   [&](const Hit& hit) { return hit.distance > distance_max; });
  hits->erase(beyond, hits->end());
  return OkStatus();
}

}  // namespace ragstone::index::vectors

#include "index/internal/vectors/growing_segment.h"

#include <algorithm>

namespace ragstone::index::vectors {
namespace {

constexpr size_t kFirstRows = 16;
constexpr size_t kScanBlock = 64;

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
    made->ids.resize(ChunkRows(number));
    chunk = std::move(made);
  }
  const size_t at = written_ - begins_[number];
  chunk->codes.Encode(static_cast<Slot>(at), vector);
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
  }
  return bytes;
}

Status GrowingSegment::Search(VectorData query, const SearchOptions& options,
                              const Restriction* restriction, std::vector<Hit>* hits) const {
  hits->clear();
  const size_t count = rows();
  if (count == 0 || options.k == 0) return OkStatus();
  TopSlots top(options.k);
  CodedQuery coded;
  chunks_[0]->codes.Prepare(query, &coded);
  for (size_t number = 0; number < begins_.size() && begins_[number] < count; ++number) {
    const Chunk& chunk = *chunks_[number];
    const size_t begin = begins_[number];
    const size_t rows_here = std::min(count - begin, chunk.ids.size());
    Slot block[kScanBlock];
    float distances[kScanBlock];
    for (size_t at = 0; at < rows_here;) {
      size_t size = 0;
      for (; at < rows_here && size < kScanBlock; ++at) {
        if (restriction == nullptr ||
            restriction->allowed(chunk.ids[at], static_cast<Slot>(begin + at))) {
          block[size++] = static_cast<Slot>(at);
        }
      }
      chunk.codes.Distances(coded, block, size, distances);
      for (size_t i = 0; i < size; ++i) {
        if (!top.Takes(distances[i])) continue;
        top.Offer(distances[i], chunk.ids[block[i]], static_cast<Slot>(begin + block[i]));
      }
    }
  }
  *hits = top.Sorted();
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

#include "index/internal/vectors/segment_io.h"

#include <algorithm>
#include <cmath>

#include "index/internal/coding.h"
#include "index/internal/vectors/chunk_parts.h"

namespace ragstone::index::vectors {
namespace {

constexpr ChunkFormat kFormat{0x52535647, 2};  // "RSVG"; version 1: ef for one number of hits only
constexpr size_t kReadRows = 4096;

// What chunk 0 says.
struct Header {
  uint64_t covers_seq = 0;
  VectorSpec spec;
  uint64_t rows = 0;
  uint64_t ef = 0;
  uint64_t wide_ef = 0;
  CodePlan walk;
  bool separate_exact = false;  // vectors are held beside the codes
  bool with_exact = false;      // and were stored
  uint32_t links = 0;           // 0: no graph
  Slot entry = kNoSlot;
  uint64_t upper_places = 0;
  uint64_t unreachable = 0;
  uint64_t twins = 0;
};

std::string Encoded(const Header& header) {
  std::string bytes;
  Encoder encoder(&bytes);
  encoder.U64(header.covers_seq);
  encoder.Varint(header.spec.dimensions);
  encoder.U8(static_cast<uint8_t>(header.spec.metric));
  encoder.U8(static_cast<uint8_t>(header.spec.storage));
  encoder.Varint(header.rows);
  encoder.Varint(header.ef);
  encoder.Varint(header.wide_ef);
  encoder.U8(static_cast<uint8_t>(header.walk.kind));
  encoder.F32(header.walk.step);
  encoder.Varint(header.walk.centre.size());
  for (const float value : header.walk.centre) encoder.F32(value);
  encoder.U8(static_cast<uint8_t>((header.separate_exact ? 1 : 0) | (header.with_exact ? 2 : 0)));
  encoder.Varint(header.links);
  encoder.U32(header.entry);
  encoder.Varint(header.upper_places);
  encoder.Varint(header.unreachable);
  encoder.Varint(header.twins);
  return bytes;
}

bool IsSound(const Header& header) {
  if (!CheckSpec(header.spec).ok() || header.rows > kSegmentRowsMax) return false;
  if (header.walk.kind > CodeKind::kBits || !std::isfinite(header.walk.step)) return false;
  for (const float value : header.walk.centre) {
    if (!std::isfinite(value)) return false;
  }
  const size_t centre = header.walk.centre.size();
  if (centre != 0 && centre != header.spec.dimensions) return false;
  const bool graph = header.links != 0;
  return header.links <= 512 && header.links != 1 && header.unreachable <= header.rows &&
         header.twins <= header.rows && (graph || header.upper_places == 0) &&
         header.upper_places <= header.rows * 16 * header.links;
}

Result<Header> DecodedHeader(std::string_view bytes) {
  Decoder decoder(bytes);
  Header header;
  header.covers_seq = decoder.U64();
  header.spec.dimensions = decoder.Varint32();
  header.spec.metric = static_cast<Metric>(decoder.U8());
  header.spec.storage = static_cast<Storage>(decoder.U8());
  header.rows = decoder.Varint();
  header.ef = decoder.Varint();
  header.wide_ef = decoder.Varint();
  header.walk.kind = static_cast<CodeKind>(decoder.U8());
  header.walk.metric = header.spec.metric;
  header.walk.dimensions = header.spec.dimensions;
  header.walk.step = decoder.F32();
  header.walk.centre.resize(decoder.Count(4));
  for (float& value : header.walk.centre) value = decoder.F32();
  const uint8_t flags = decoder.U8();
  header.separate_exact = (flags & 1) != 0;
  header.with_exact = (flags & 2) != 0;
  header.links = decoder.Varint32();
  header.entry = decoder.U32();
  header.upper_places = decoder.Varint();
  header.unreachable = decoder.Varint();
  header.twins = decoder.Varint();
  if (!decoder.done() || !IsSound(header)) return DamagedIndex("its header");
  return header;
}

}  // namespace

// The parts of a segment, in the order in which they are stored.
class SegmentWriter {
 public:
  static Status Write(const Segment& segment, const SegmentWriteOptions& options, ChunkSink* sink) {
    Header header;
    header.covers_seq = options.covers_seq;
    header.spec = segment.spec_;
    header.rows = segment.rows();
    header.ef = segment.ef();
    header.wide_ef = segment.wide_ef();
    header.walk = segment.walk_.plan();
    header.separate_exact = segment.exact_.plan().dimensions != 0;
    header.with_exact = header.separate_exact && options.with_exact;
    if (segment.graph_) {
      header.links = segment.graph_->links();
      header.entry = segment.graph_->entry();
      header.upper_places = segment.graph_->upper_places().size();
    }
    header.unreachable = segment.unreachable_.size();
    std::vector<Slot> twins;
    for (Slot slot = 0; slot < segment.rows() && twins.size() < segment.twins_.count(); ++slot) {
      if (segment.twins_.IsTwin(slot)) twins.push_back(slot);
    }
    header.twins = twins.size();
    PartWriter parts(kFormat, options.stamp, sink);
    RETURN_IF_ERROR(parts.WriteHeader(Encoded(header)));
    RETURN_IF_ERROR(parts.Write(std::span<const RowId>(segment.row_ids_)));
    RETURN_IF_ERROR(parts.Write(segment.walk_.row_bytes()));
    RETURN_IF_ERROR(parts.Write(segment.walk_.factors()));
    RETURN_IF_ERROR(parts.Write(segment.walk_.norms()));
    if (segment.graph_) {
      RETURN_IF_ERROR(parts.Write(segment.graph_->levels()));
      RETURN_IF_ERROR(parts.Write(segment.graph_->base_places()));
      RETURN_IF_ERROR(parts.Write(segment.graph_->upper_places()));
    }
    RETURN_IF_ERROR(parts.Write(std::span<const Slot>(segment.unreachable_)));
    RETURN_IF_ERROR(parts.Write(std::span<const Slot>(twins)));
    if (header.with_exact) RETURN_IF_ERROR(parts.Write(segment.exact_.row_bytes()));
    return parts.Flush();
  }
};

class SegmentReader {
 public:
  SegmentReader(const Header& header, PartReader* parts)
      : header_(header), parts_(parts), segment_(new Segment()) {}

  Result<std::unique_ptr<Segment>> Read(const ExactReader* vectors) {
    segment_->spec_ = header_.spec;
    segment_->set_ef(std::clamp<size_t>(header_.ef, 1, Segment::kEfMax),
                     std::min<size_t>(header_.wide_ef, Segment::kEfMax));
    RETURN_IF_ERROR(ReadRows());
    if (header_.links != 0) RETURN_IF_ERROR(ReadGraph());
    RETURN_IF_ERROR(ReadSlots());
    if (header_.separate_exact) RETURN_IF_ERROR(ReadExact(vectors));
    return std::move(segment_);
  }

 private:
  Status ReadRows() {
    if (header_.walk.kind != WalkKind(header_.spec)) return DamagedIndex("the kind of codes");
    ASSIGN_OR_RETURN(segment_->row_ids_, parts_->ReadRowIds(header_.rows));
    segment_->IndexRows();
    const std::vector<RowId>& sorted = segment_->sorted_ids_;
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      return DamagedIndex("a row that is there twice");
    }
    ASSIGN_OR_RETURN(segment_->walk_, Codes::Make(header_.walk, header_.rows));
    RETURN_IF_ERROR(parts_->Read(segment_->walk_.row_bytes()));
    RETURN_IF_ERROR(parts_->Read(segment_->walk_.factors()));
    RETURN_IF_ERROR(parts_->Read(segment_->walk_.norms()));
    return segment_->walk_.AllFinite() ? OkStatus() : DamagedIndex("a value that is not finite");
  }

  Status ReadGraph() {
    std::vector<uint8_t> levels(header_.rows);
    RETURN_IF_ERROR(parts_->Read(std::span<uint8_t>(levels)));
    uint64_t lists = 0;
    for (const uint8_t level : levels) lists += level;
    if (lists * header_.links != header_.upper_places)
      return DamagedIndex("the levels of its graph");
    ASSIGN_OR_RETURN(Graph graph, Graph::Make(header_.links, std::move(levels)));
    RETURN_IF_ERROR(parts_->Read(graph.base_places()));
    RETURN_IF_ERROR(parts_->Read(graph.upper_places()));
    graph.set_entry(header_.entry);
    if (!graph.Check().ok()) return DamagedIndex("its graph");
    segment_->graph_ = std::move(graph);
    return OkStatus();
  }

  Status ReadSlots() {
    segment_->unreachable_.resize(header_.unreachable);
    RETURN_IF_ERROR(parts_->Read(std::span<Slot>(segment_->unreachable_)));
    std::vector<Slot> twins(header_.twins);
    RETURN_IF_ERROR(parts_->Read(std::span<Slot>(twins)));
    segment_->twins_.Resize(header_.rows);
    for (const Slot slot : segment_->unreachable_) {
      if (slot >= header_.rows) return DamagedIndex("a slot");
    }
    for (const Slot slot : twins) {
      if (slot >= header_.rows || slot == 0 || segment_->twins_.IsTwin(slot)) {
        return DamagedIndex("a slot");
      }
      if (!segment_->walk_.EqualRows(slot, slot - 1))
        return DamagedIndex("rows that are not equal");
      segment_->twins_.Mark(slot);
    }
    segment_->CountLinks();
    return OkStatus();
  }

  Status ReadExact(const ExactReader* vectors) {
    CodePlan plan;
    plan.kind = header_.spec.storage == Storage::kFloat16 ? CodeKind::kFloat16 : CodeKind::kFloat32;
    plan.metric = header_.spec.metric;
    plan.dimensions = header_.spec.dimensions;
    if (!header_.with_exact && vectors == nullptr) return OkStatus();
    ASSIGN_OR_RETURN(segment_->exact_, Codes::Make(plan, header_.rows));
    if (header_.with_exact) {
      RETURN_IF_ERROR(parts_->Read(segment_->exact_.row_bytes()));
      return segment_->exact_.AllFinite() ? OkStatus() : DamagedIndex("a value that is not finite");
    }
    std::vector<float> values;
    for (size_t begin = 0; begin < header_.rows; begin += kReadRows) {
      const size_t count = std::min<size_t>(kReadRows, header_.rows - begin);
      values.resize(count * plan.dimensions);
      const std::span<const RowId> rows(segment_->row_ids_);
      RETURN_IF_ERROR(vectors->Read(rows.subspan(begin, count), values.data()));
      for (size_t i = 0; i < count; ++i) {
        segment_->exact_.Encode(static_cast<Slot>(begin + i), values.data() + i * plan.dimensions);
      }
    }
    return OkStatus();
  }

  const Header header_;
  PartReader* const parts_;
  std::unique_ptr<Segment> segment_;
};

Status WriteSegment(const Segment& segment, const SegmentWriteOptions& options, ChunkSink* sink) {
  return SegmentWriter::Write(segment, options, sink);
}

Result<LoadedSegment> ReadSegment(const ChunkSource& source, const ExactReader* vectors) {
  LoadedSegment loaded;
  PartReader parts(kFormat, source);
  ASSIGN_OR_RETURN(const std::string bytes, parts.ReadHeader());
  ASSIGN_OR_RETURN(const Header header, DecodedHeader(bytes));
  loaded.stamp = parts.stamp();
  loaded.covers_seq = header.covers_seq;
  ASSIGN_OR_RETURN(loaded.index, SegmentReader(header, &parts).Read(vectors));
  return loaded;
}

}  // namespace ragstone::index::vectors

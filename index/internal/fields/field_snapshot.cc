#include "index/internal/fields/field_snapshot.h"

#include <algorithm>

#include "base/hash.h"

namespace ragstone::index::fields {
namespace {

// The first byte of an index; a later layout takes the next number.
constexpr uint8_t kFormat = 1;

Status Damaged() {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the stored field index is damaged; it is derived, build it again");
}

void ResolveIds(const Filter& filter, const IdResolver& resolve, ResolvedIds* out) {
  for (const Filter& child : filter.children) ResolveIds(child, resolve, out);
  if (filter.kind != FilterKind::kHasId) return;
  std::vector<RowId>& rows = (*out)[&filter];
  for (const PointId& id : filter.ids) {
    std::optional<RowId> row;
    if (resolve) {
      row = resolve(id);
    } else if (const auto* number = std::get_if<uint64_t>(&id)) {
      row = *number;
    }
    if (row.has_value()) rows.push_back(*row);
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
}

Status ResolveTexts(const Filter& filter, const TextResolver& resolve, ResolvedTexts* out) {
  for (const Filter& child : filter.children) RETURN_IF_ERROR(ResolveTexts(child, resolve, out));
  if (filter.kind != FilterKind::kMatch) return OkStatus();
  ASSIGN_OR_RETURN(std::optional<TextRows> known, resolve(filter));
  if (known.has_value()) out->emplace(&filter, *std::move(known));
  return OkStatus();
}

Roaring LiveRows(const SegmentRef& ref) {
  Roaring live = ref.segment->rows();
  if (ref.dead != nullptr) live -= *ref.dead;
  return live;
}

// The segment and its dead rows.
std::string EncodeRef(const SegmentRef& ref) {
  std::string block;
  Encoder out(&block);
  out.String(ref.segment->Encode());
  EncodeRows(ref.dead != nullptr ? *ref.dead : Roaring(), &out);
  return block;
}

Result<SegmentRef> DecodeRef(std::string_view block) {
  Decoder in(block);
  const std::string_view bytes = in.String();
  Roaring dead = DecodeRows(&in);
  if (!in.done()) return Damaged();
  SegmentRef ref;
  ASSIGN_OR_RETURN(ref.segment, FieldSegment::Decode(bytes));
  if (!dead.isSubset(ref.segment->rows())) return Damaged();
  ref.live = ref.segment->row_count() - dead.cardinality();
  if (!dead.isEmpty()) ref.dead = std::make_shared<const Roaring>(std::move(dead));
  return ref;
}

}  // namespace

FieldSnapshot::FieldSnapshot(std::shared_ptr<const Schema> schema, std::vector<SegmentRef> segments)
    : schema_(std::move(schema)), segments_(std::move(segments)) {
  for (const SegmentRef& ref : segments_) rows_ += ref.live;
}

bool FieldSnapshot::Contains(RowId row) const {
  return std::any_of(segments_.begin(), segments_.end(), [row](const SegmentRef& ref) {
    return ref.segment->high() == HighOf(row) && ref.segment->rows().contains(LowOf(row)) &&
           (ref.dead == nullptr || !ref.dead->contains(LowOf(row)));
  });
}

RowSet FieldSnapshot::AllRows() const {
  RowSet rows;
  for (const SegmentRef& ref : segments_) rows.AddAll(ref.segment->high(), LiveRows(ref));
  return rows;
}

Result<FieldMatches> FieldSnapshot::FindMatches(const Filter& filter,
                                                const FieldLookups& lookups) const {
  ResolvedIds ids;
  ResolveIds(filter, lookups.ids, &ids);
  ResolvedTexts texts;
  if (lookups.texts) RETURN_IF_ERROR(ResolveTexts(filter, lookups.texts, &texts));
  FieldMatches matches;
  for (const SegmentRef& ref : segments_) {
    ASSIGN_OR_RETURN(Selection selection, SelectRows(filter, ref, LiveRows(ref),
                                                     {*schema_, ids, texts, lookups.context}));
    const uint32_t high = ref.segment->high();
    if (!selection.sure.isEmpty()) matches.sure.AddAll(high, std::move(selection.sure));
    if (!selection.unsure.isEmpty()) matches.unsure.AddAll(high, std::move(selection.unsure));
  }
  return matches;
}

FieldMatches FieldSnapshot::Evaluate(const Filter& filter, const IdResolver& resolve) const {
  // Without a deadline and lookups that fail there is no error.
  return FindMatches(filter, {resolve, {}, CallContext()}).value();
}

size_t FieldSnapshot::MemoryBytes() const {
  size_t bytes = sizeof(FieldSnapshot) + segments_.capacity() * sizeof(SegmentRef);
  for (const SegmentRef& ref : segments_) {
    bytes += ref.segment->MemoryBytes();
    if (ref.dead != nullptr) bytes += fields::MemoryBytes(*ref.dead);
  }
  return bytes;
}

std::string FieldSnapshot::Encode() const {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.Varint(segments_.size());
  for (const SegmentRef& ref : segments_) {
    const std::string block = EncodeRef(ref);
    out.U64(FastHash(block));
    out.String(block);
  }
  return bytes;
}

Result<std::vector<SegmentRef>> FieldSnapshot::Decode(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  const size_t count = in.Count(sizeof(uint64_t) + 1);
  std::vector<SegmentRef> segments;
  RowSet seen;
  uint64_t rows = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t hash = in.U64();
    const std::string_view block = in.String();
    if (!in.ok() || FastHash(block) != hash) return Damaged();
    ASSIGN_OR_RETURN(SegmentRef ref, DecodeRef(block));
    rows += ref.live;
    seen.AddAll(ref.segment->high(), LiveRows(ref));
    segments.push_back(std::move(ref));
  }
  // A row that lives in two segments would be found by its old values, too.
  if (!in.done() || seen.Count() != rows) return Damaged();
  return segments;
}

}  // namespace ragstone::index::fields

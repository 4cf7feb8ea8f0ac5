#include "index/internal/fields/field_segment.h"

#include <algorithm>

#include "index/internal/fields/row_set.h"

namespace ragstone::index::fields {
namespace {

// The first byte of a segment; a later layout takes the next number.
constexpr uint8_t kFormat = 1;

Status Damaged() {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "a stored segment of the field index is damaged; it is derived, build it again");
}

// The column of the field in every segment, or nothing if one has none of this type.
std::vector<const Column*> ColumnsOf(const FieldSpec& field, std::span<const SegmentRef> segments) {
  std::vector<const Column*> columns;
  for (const SegmentRef& ref : segments) {
    const Column* column = ref.segment->Find(field.name);
    if (column == nullptr || column->type() != field.type) return {};
    columns.push_back(column);
  }
  return columns;
}

}  // namespace

std::shared_ptr<const FieldSegment> FieldSegment::Build(const Schema& schema, uint32_t high,
                                                        std::span<const Row> rows) {
  auto segment = std::make_shared<FieldSegment>();
  segment->high_ = high;
  std::vector<uint32_t> lows;
  lows.reserve(rows.size());
  for (const Row& row : rows) lows.push_back(row.low);
  segment->rows_ = RowsOf(lows);
  segment->rows_.runOptimize();
  segment->row_count_ = segment->rows_.cardinality();
  for (const FieldSpec& field : schema.fields()) {
    if (!field.indexed) continue;
    ColumnBuilder builder(field.type);
    for (const Row& row : rows) {
      const auto value = row.payload->find(field.name);
      if (value != row.payload->end()) builder.Add(value->second, row.low);
    }
    segment->columns_.emplace(field.name, builder.Finish());
  }
  return segment;
}

std::shared_ptr<const FieldSegment> FieldSegment::Merge(const Schema& schema,
                                                        std::span<const SegmentRef> segments) {
  auto merged = std::make_shared<FieldSegment>();
  merged->high_ = segments[0].segment->high();
  for (const SegmentRef& ref : segments) {
    Roaring live = ref.segment->rows();
    if (ref.dead != nullptr) live -= *ref.dead;
    merged->rows_ |= live;
  }
  merged->rows_.runOptimize();
  merged->rows_.shrinkToFit();
  merged->row_count_ = merged->rows_.cardinality();
  for (const FieldSpec& field : schema.fields()) {
    if (!field.indexed) continue;
    const std::vector<const Column*> columns = ColumnsOf(field, segments);
    if (columns.empty()) continue;
    ColumnBuilder builder(field.type);
    for (size_t i = 0; i < columns.size(); ++i) {
      builder.AddColumn(*columns[i], segments[i].dead.get());
    }
    merged->columns_.emplace(field.name, builder.Finish());
  }
  return merged;
}

const Column* FieldSegment::Find(std::string_view field) const {
  const auto column = columns_.find(field);
  return column == columns_.end() ? nullptr : &column->second;
}

bool FieldSegment::HasColumnsOf(const Schema& schema) const {
  size_t found = 0;
  for (const FieldSpec& field : schema.fields()) {
    if (!field.indexed) continue;
    const Column* column = Find(field.name);
    if (column == nullptr || column->type() != field.type) return false;
    ++found;
  }
  return found == columns_.size();
}

uint64_t FieldSegment::EntriesMax() const {
  uint64_t entries = row_count_;
  for (const auto& [name, column] : columns_) {
    entries = std::max<uint64_t>(entries, column.postings().Entries(0, column.values()));
  }
  return entries;
}

size_t FieldSegment::MemoryBytes() const {
  size_t bytes = sizeof(FieldSegment) + fields::MemoryBytes(rows_);
  for (const auto& [name, column] : columns_) bytes += name.size() + column.MemoryBytes();
  return bytes;
}

std::string FieldSegment::Encode() const {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.U32(high_);
  EncodeRows(rows_, &out);
  out.Varint(columns_.size());
  for (const auto& [name, column] : columns_) {
    out.String(name);
    column.Encode(&out);
  }
  return bytes;
}

Result<std::shared_ptr<const FieldSegment>> FieldSegment::Decode(std::string_view bytes) {
  Decoder in(bytes);
  auto segment = std::make_shared<FieldSegment>();
  if (in.U8() != kFormat) in.Fail();
  segment->high_ = in.U32();
  segment->rows_ = DecodeRows(&in);
  segment->row_count_ = segment->rows_.cardinality();
  const size_t columns = in.Count(2);
  for (size_t i = 0; i < columns && in.ok(); ++i) {
    std::string name(in.String());
    Column column = Column::Decode(&in);
    if (!column.exists().isSubset(segment->rows_)) in.Fail();
    segment->columns_.emplace(std::move(name), std::move(column));
  }
  if (!in.done() || segment->columns_.size() != columns) return Damaged();
  return std::shared_ptr<const FieldSegment>(std::move(segment));
}

}  // namespace ragstone::index::fields

#include "index/internal/records_db/vector_part.h"

#include <algorithm>

namespace ragstone::index::records {

vectors::VectorSpec SpecOf(const VectorField& field) {
  return {field.dimensions, static_cast<vectors::Metric>(field.metric),
          static_cast<vectors::Storage>(field.storage)};
}

vectors::VectorData DataOf(const Vector& vector) {
  if (const auto* bits = std::get_if<BitVector>(&vector)) return bits->data();
  return std::get<DenseVector>(vector).data();
}

Result<std::shared_ptr<VectorPart>> VectorPart::Growing(const vectors::VectorSpec& spec,
                                                        size_t rows_max) {
  std::shared_ptr<VectorPart> part(new VectorPart(rows_max));
  ASSIGN_OR_RETURN(part->growing_, vectors::GrowingSegment::Make(spec, rows_max));
  return part;
}

std::shared_ptr<VectorPart> VectorPart::Sealed(std::unique_ptr<vectors::Segment> segment,
                                               std::string reason) {
  std::shared_ptr<VectorPart> part(new VectorPart(segment->rows()));
  for (size_t slot = 0; slot < segment->rows(); ++slot) part->gone_at_.Reserve(slot);
  part->sealed_ = std::move(segment);
  part->reason_ = std::move(reason);
  return part;
}

std::shared_ptr<VectorPart> VectorPart::Compact(std::unique_ptr<vectors::CompactIndex> index,
                                                std::vector<RowId> rows, std::string reason) {
  std::shared_ptr<VectorPart> part(new VectorPart(rows.size()));
  for (size_t slot = 0; slot < rows.size(); ++slot) {
    part->gone_at_.Reserve(slot);
    part->compact_places_.emplace_back(rows[slot], static_cast<vectors::Slot>(slot));
  }
  std::sort(part->compact_places_.begin(), part->compact_places_.end());
  part->compact_ = std::move(index);
  part->compact_rows_ = std::move(rows);
  part->reason_ = std::move(reason);
  return part;
}

Status VectorPart::Append(RowId row, vectors::VectorData vector) {
  gone_at_.Reserve(growing_->rows_written());
  return growing_->Append(row, vector);
}

vectors::Slot VectorPart::Find(RowId row) const {
  if (sealed_ != nullptr) return sealed_->Find(row);
  const auto place = std::lower_bound(compact_places_.begin(), compact_places_.end(),
                                      std::pair<RowId, vectors::Slot>(row, 0));
  const bool found = place != compact_places_.end() && place->first == row;
  return found ? place->second : vectors::kNoSlot;
}

vectors::Slot VectorPart::FindSlot(RowId row) const {
  if (growing_ == nullptr) return Find(row);
  size_t low = 0;
  size_t high = growing_->rows_written();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (growing_->id(middle) < row) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const bool found = low < growing_->rows_written() && growing_->id(low) == row;
  return found ? static_cast<vectors::Slot>(low) : vectors::kNoSlot;
}

bool VectorPart::MarkGone(RowId row, SequenceNumber at) {
  const vectors::Slot slot = FindSlot(row);
  if (slot == vectors::kNoSlot) return false;
  if (gone_at_.Reserve(slot)->exchange(at, std::memory_order_acq_rel) == 0) {
    gone_count_.fetch_add(1, std::memory_order_acq_rel);
  }
  return true;
}

uint64_t VectorPart::bytes() const {
  const uint64_t marks = rows() * gone_at_.bytes_per_row();
  if (growing_ != nullptr) return growing_->bytes() + marks;
  if (sealed_ != nullptr) return sealed_->bytes() + marks;
  constexpr uint64_t kRowBytes = sizeof(RowId) + sizeof(std::pair<RowId, vectors::Slot>);
  return compact_->bytes() + rows() * kRowBytes + marks;
}

}  // namespace ragstone::index::records

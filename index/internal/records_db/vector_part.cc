#include "index/internal/records_db/vector_part.h"

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
                                               std::string reason,
                                               std::shared_ptr<vectors::AskedQueries> asked) {
  std::shared_ptr<VectorPart> part(new VectorPart(segment->rows()));
  for (size_t slot = 0; slot < segment->rows(); ++slot) part->gone_at_.Reserve(slot);
  if (segment->has_graph() && segment->spec().metric != vectors::Metric::kHamming) {
    part->asked_ = asked != nullptr ? std::move(asked)
                                    : std::make_shared<vectors::AskedQueries>(
                                          segment->spec().dimensions, segment->ef());
  }
  part->sealed_ = std::move(segment);
  part->set_reason(std::move(reason));
  return part;
}

std::shared_ptr<VectorPart> VectorPart::Compact(std::unique_ptr<vectors::CompactIndex> index,
                                                std::string reason) {
  std::shared_ptr<VectorPart> part(new VectorPart(index->rows()));
  for (size_t slot = 0; slot < index->rows(); ++slot) part->gone_at_.Reserve(slot);
  part->compact_ = std::move(index);
  part->set_reason(std::move(reason));
  return part;
}

Status VectorPart::Append(RowId row, vectors::VectorData vector) {
  const auto slot = static_cast<vectors::Slot>(growing_->rows_written());
  gone_at_.Reserve(slot);
  RETURN_IF_ERROR(growing_->Append(row, vector));
  if (slot == 0 || growing_->id(slot - 1) + 1 != row) runs_[row] = slot;
  return OkStatus();
}

vectors::Slot VectorPart::Find(RowId row) const {
  return sealed_ != nullptr ? sealed_->Find(row) : compact_->Find(row);
}

vectors::Slot VectorPart::FindSlot(RowId row) const {
  if (growing_ == nullptr) return Find(row);
  auto run = runs_.upper_bound(row);
  if (run == runs_.begin()) return vectors::kNoSlot;
  --run;
  const uint64_t slot = run->second + (row - run->first);
  const bool found = slot < growing_->rows_written() && growing_->id(slot) == row;
  return found ? static_cast<vectors::Slot>(slot) : vectors::kNoSlot;
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
  const uint64_t asked = asked_ != nullptr ? asked_->bytes() : 0;
  return marks + asked + (sealed_ != nullptr ? sealed_->bytes() : compact_->bytes());
}

}  // namespace ragstone::index::records

#include "index/internal/records_db/vector_set.h"

#include <algorithm>

#include "index/filter/names.h"

namespace ragstone::index::records {
namespace {

// A growing part holds fp32; this bounds what scanning it costs where vectors are long.
constexpr size_t kGrowingBytesMax = 256 << 20;
// A sealed part joins a merge if it has at most so many times the rows of the rest, so that every
// row is merged a logarithmic number of times.
constexpr size_t kMergeRatio = 2;

bool ManyGone(const VectorPart& part) { return part.gone() * 4 >= part.rows() && part.gone() > 0; }

// Whether a graph takes memory that the set has not.
bool TooLarge(const VectorField& field, const VectorPart& part, const SealTerms& terms) {
  if (part.sealed() == nullptr || !part.sealed()->has_graph()) return false;
  const uint64_t rows = part.rows() - std::min(part.rows(), part.gone());
  const auto choice = vectors::ChooseMethod(QuestionOf(field, rows, terms));
  return choice.ok() && choice->method == vectors::Method::kIvfPq;
}

}  // namespace

size_t SealRows(const VectorField& field, size_t seal_rows) {
  const size_t bytes = std::max<size_t>(1, vectors::InputBytes(SpecOf(field)));
  return std::max<size_t>(64, std::min(seal_rows, kGrowingBytesMax / bytes));
}

vectors::MethodQuestion QuestionOf(const VectorField& field, uint64_t rows,
                                   const SealTerms& terms) {
  vectors::MethodQuestion question;
  question.spec = SpecOf(field);
  question.rows = rows;
  question.set_rows = terms.set_rows;
  question.memory_bytes = terms.memory_bytes;
  question.compact = terms.compact;
  question.wanted = static_cast<vectors::Method>(field.method);
  return question;
}

VectorSet::VectorSet(const VectorField& field, size_t seal_rows)
    : field_(field), spec_(SpecOf(field)), seal_rows_(SealRows(field, seal_rows)) {}

Status VectorSet::Stage(RowId row, const Vector& vector) {
  if (parts_.empty() || parts_.back()->growing() == nullptr || parts_.back()->full()) {
    ASSIGN_OR_RETURN(std::shared_ptr<VectorPart> part, VectorPart::Growing(spec_, seal_rows_));
    parts_.push_back(std::move(part));
  }
  return parts_.back()->Append(row, DataOf(vector));
}

void VectorSet::Publish() {
  for (const std::shared_ptr<VectorPart>& part : parts_) {
    if (part->growing() != nullptr) part->Publish();
  }
}

void VectorSet::MarkGone(RowId row, SequenceNumber at) {
  for (const std::shared_ptr<VectorPart>& part : parts_) {
    if (part->MarkGone(row, at)) return;
  }
}

void VectorSet::AddSealed(std::shared_ptr<VectorPart> part) { parts_.push_back(std::move(part)); }

bool VectorSet::HasSealed(RowId row) const {
  return std::any_of(parts_.begin(), parts_.end(), [row](const auto& part) {
    return part->growing() == nullptr && part->Find(row) != vectors::kNoSlot;
  });
}

VectorView VectorSet::View() const {
  VectorView view;
  for (const std::shared_ptr<VectorPart>& part : parts_) view.push_back({part, part->rows()});
  return view;
}

SealTerms VectorSet::Terms(uint64_t memory_bytes) const {
  SealTerms terms;
  terms.memory_bytes = memory_bytes;
  for (const std::shared_ptr<VectorPart>& part : parts_) {
    terms.set_rows += part->rows() - std::min(part->rows(), part->gone());
    terms.compact = terms.compact || part->compact() != nullptr;
  }
  return terms;
}

std::vector<std::shared_ptr<VectorPart>> VectorSet::ChooseParts(const SealTerms& terms) const {
  std::vector<std::shared_ptr<VectorPart>> chosen;
  std::vector<std::shared_ptr<VectorPart>> sealed;
  size_t rows = 0;
  for (const std::shared_ptr<VectorPart>& part : parts_) {
    const bool due = part->growing() != nullptr ? part->full()
                                                : ManyGone(*part) || TooLarge(field_, *part, terms);
    if (due) {
      chosen.push_back(part);
      rows += part->rows() - part->gone();
    } else if (part->growing() == nullptr) {
      sealed.push_back(part);
    }
  }
  if (chosen.empty()) return chosen;
  std::sort(sealed.begin(), sealed.end(),
            [](const auto& a, const auto& b) { return a->rows() < b->rows(); });
  for (const std::shared_ptr<VectorPart>& part : sealed) {
    if (part->rows() > kMergeRatio * rows) break;
    chosen.push_back(part);
    rows += part->rows();
  }
  return chosen;
}

void VectorSet::Replace(const std::vector<std::shared_ptr<VectorPart>>& parts,
                        std::shared_ptr<VectorPart> made) {
  for (const std::shared_ptr<VectorPart>& part : parts) {
    for (size_t slot = 0; slot < part->rows(); ++slot) {
      const SequenceNumber at = part->GoneAt(slot);
      if (at != 0) made->MarkGone(part->row_id(slot), at);
    }
  }
  std::erase_if(parts_, [&](const auto& part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  });
  if (made->rows() > 0) parts_.insert(parts_.begin(), std::move(made));
}

std::vector<std::shared_ptr<VectorPart>> VectorSet::PartsToCalibrate() const {
  std::vector<std::shared_ptr<VectorPart>> due;
  std::copy_if(parts_.begin(), parts_.end(), std::back_inserter(due),
               [](const auto& part) { return part->asked() != nullptr && part->asked()->due(); });
  return due;
}

std::string DescribeVectors(const VectorField& field, const VectorView& view) {
  size_t scanned = 0;
  std::string text;
  for (const PartView& part : view) {
    if (part.part->growing() != nullptr) {
      scanned += part.rows - std::min(part.rows, part.part->gone());
    } else {
      text += (text.empty() ? "" : "; ") + part.part->reason();
    }
  }
  if (scanned > 0 || text.empty()) {
    text += (text.empty() ? "" : "; ") + std::to_string(scanned) + " vectors scanned, exactly";
  }
  return (field.name.empty() ? "" : Quoted(field.name) + ": ") + text;
}

}  // namespace ragstone::index::records

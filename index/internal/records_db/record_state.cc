#include "index/internal/records_db/record_state.h"

namespace ragstone::index::records {
namespace {

// Rows with this mark are seen by no version.
constexpr SequenceNumber kNeverSeen = 1;

}  // namespace

std::vector<std::string_view> TextsOf(const Record& record, std::string_view field) {
  std::vector<std::string_view> texts;
  const auto value = record.payload.find(field);
  if (value == record.payload.end()) return texts;
  if (const auto* text = std::get_if<std::string>(&value->second)) texts.push_back(*text);
  if (const auto* list = std::get_if<ScalarList>(&value->second)) {
    for (const Scalar& element : *list) {
      if (const auto* text = std::get_if<std::string>(&element)) texts.push_back(*text);
    }
  }
  return texts;
}

Indexes::Indexes(const StoredSpec& spec, size_t seal_rows)
    : fields_(std::make_unique<fields::FieldIndex>(spec.spec.schema)) {
  for (const VectorField& field : spec.spec.vectors) vectors_.emplace_back(field, seal_rows);
  for (const SparseField& field : spec.spec.sparse) {
    sparse_[field.name] = std::make_shared<SparseIndex>();
  }
}

Status Indexes::Stage(const std::vector<Row>& added) {
  for (const Row& row : added) {
    for (VectorSet& vectors : vectors_) {
      const auto vector = row.record->vectors.find(vectors.field().name);
      if (vector == row.record->vectors.end()) continue;
      const Status status = vectors.Stage(row.row, vector->second);
      if (!status.ok()) {
        Abandon(added);
        return status;
      }
    }
  }
  return OkStatus();
}

void Indexes::Abandon(const std::vector<Row>& added) {
  for (const Row& row : added) {
    for (VectorSet& vectors : vectors_) vectors.MarkGone(row.row, kNeverSeen);
  }
}

void Indexes::Publish(const std::vector<Row>& added, const std::vector<GoneRowId>& gone) {
  std::vector<RowId> removed;
  for (const GoneRowId& row : gone) {
    removed.push_back(row.row);
    for (VectorSet& vectors : vectors_) vectors.MarkGone(row.row, row.at);
  }
  std::vector<fields::FieldRow> rows;
  for (const Row& row : added) {
    rows.push_back({row.row, &row.record->payload});
    for (auto& [name, index] : sparse_) {
      const auto vector = row.record->vectors.find(name);
      if (vector == row.record->vectors.end()) continue;
      index->Add(row.row, std::get<SparseVector>(vector->second));
    }
  }
  for (VectorSet& vectors : vectors_) vectors.Publish();
  fields_->Apply(removed, rows);
}

Status Indexes::AddVectors(const std::vector<Row>& rows) {
  RETURN_IF_ERROR(Stage(rows));
  for (VectorSet& vectors : vectors_) vectors.Publish();
  return OkStatus();
}

std::shared_ptr<const IndexView> Indexes::View() const {
  auto view = std::make_shared<IndexView>();
  view->fields = fields_->Snapshot();
  for (const VectorSet& vectors : vectors_) view->vectors[vectors.field().name] = vectors.View();
  for (const auto& [name, index] : sparse_) view->sparse[name] = index;
  view->charge = charge_;
  return view;
}

uint64_t MemoryBytes(const IndexView& view) {
  uint64_t bytes = view.fields->MemoryBytes();
  for (const auto& [name, vectors] : view.vectors) {
    for (const PartView& part : vectors) bytes += part.part->bytes();
  }
  for (const auto& [name, index] : view.sparse) bytes += index->bytes();
  return bytes;
}

}  // namespace ragstone::index::records

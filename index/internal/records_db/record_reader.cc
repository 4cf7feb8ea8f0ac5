#include "index/internal/records_db/record_reader.h"

#include <cstring>

#include "index/internal/keys.h"

namespace ragstone::index::records {

Result<RecordReader::IdRow> RecordReader::RowAtVersion(std::string_view prefix) {
  StoreIterator* const it = row_ids();
  for (; it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const uint64_t inverted, DecodeKeySuffix(it->key()));
    if (~inverted > version_) continue;
    ASSIGN_OR_RETURN(const RowId row, DecodeIdRow(it->value()));
    return IdRow{row, row == kNoRow ? 0 : ~inverted};
  }
  RETURN_IF_ERROR(it->status());
  return IdRow();
}

Result<RecordReader::IdRow> RecordReader::FindRow(std::string_view id) {
  row_ids()->Seek(IdKey(spec_.id, id, version_));
  return RowAtVersion(IdPrefix(spec_.id, id));
}

Result<Record> RecordReader::ReadRow(RowId row, const RowParts& parts) {
  const std::string key = RowKey(spec_.id, row);
  if (rows_ != nullptr) {
    rows_->Seek(key);
    RETURN_IF_ERROR(rows_->status());
    if (!rows_->Valid() || rows_->key() != key) {
      return Corrupt("record in row " + std::to_string(row));
    }
    return DecodeRow(spec_, row, rows_->value(), parts);
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store_.Get(Family::kRecord, key));
  if (!bytes.has_value()) return Corrupt("record in row " + std::to_string(row));
  return DecodeRow(spec_, row, *bytes, parts);
}

Result<std::optional<Record>> RecordReader::Read(std::string_view id, const RowParts& parts) {
  ASSIGN_OR_RETURN(const IdRow found, FindRow(id));
  if (found.row == kNoRow) return std::optional<Record>();
  ASSIGN_OR_RETURN(Record record, ReadRow(found.row, parts));
  return std::optional<Record>(std::move(record));
}

Status RowVectorReader::Read(std::span<const vectors::RowId> rows, float* vectors) const {
  for (const vectors::RowId row : rows) {
    ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                     store_.Get(Family::kRecord, RowKey(spec_.id, row)));
    if (!bytes.has_value()) return Corrupt("record in row " + std::to_string(row));
    ASSIGN_OR_RETURN(const std::optional<Vector> vector,
                     DecodeRowVector(spec_, row, *bytes, name_));
    const size_t size = vectors::InputBytes(SpecOf(*spec_.FindVector(name_)));
    const void* data = nullptr;
    if (vector.has_value()) {
      const auto* dense = std::get_if<DenseVector>(&*vector);
      const auto* bits = std::get_if<BitVector>(&*vector);
      if (dense != nullptr && dense->size() * sizeof(float) == size) data = dense->data();
      if (bits != nullptr && bits->size() == size) data = bits->data();
    }
    if (data == nullptr) return Corrupt("vector of the record in row " + std::to_string(row));
    std::memcpy(vectors, data, size);
    vectors = reinterpret_cast<float*>(reinterpret_cast<char*>(vectors) + size);
  }
  return OkStatus();
}

}  // namespace ragstone::index::records

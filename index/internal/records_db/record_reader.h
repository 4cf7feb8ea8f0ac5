#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "index/internal/keys.h"
#include "index/internal/records_db/record_coding.h"
#include "index/internal/records_db/record_state.h"
#include "index/internal/store.h"
#include "index/internal/vectors/segment.h"

namespace ragstone::index::records {

// Reads ids and rows of one collection as of one version. Make it after the state was taken: what
// it reads is not older. Not thread-safe.
class RecordReader {
 public:
  RecordReader(const Store& store, const StoredSpec& spec, SequenceNumber version)
      : store_(store), spec_(spec), version_(version) {}

  // What an id stands for, and since which version; kNoRow if there was no such record.
  struct IdRow {
    RowId row = kNoRow;
    SequenceNumber version = 0;
  };
  Result<IdRow> FindRow(std::string_view id);
  // DATA_LOSS if the row is not there.
  Result<Record> ReadRow(RowId row, const RowParts& parts);
  // Both; nullopt if there was no such record.
  Result<std::optional<Record>> Read(std::string_view id, const RowParts& parts);
  // Calls `visit(id, row)` for the records after the id `after`, in order of ids, until false.
  template <typename Visit>
  Status VisitIds(std::string_view after, const Visit& visit);
  // Reads rows from now on as they are now, whatever is removed meanwhile.
  void HoldRows() {
    row_ids();
    rows_ = store_.NewIterator(Family::kRecord);
  }

 private:
  StoreIterator* row_ids() {
    if (ids_ == nullptr) ids_ = store_.NewIterator(Family::kRecordId);
    return ids_.get();
  }
  // The row of the id whose entries the iterator stands at or before, as of the version.
  Result<IdRow> RowAtVersion(std::string_view prefix);

  const Store& store_;
  const StoredSpec& spec_;
  const SequenceNumber version_;
  std::unique_ptr<StoreIterator> ids_;
  std::unique_ptr<StoreIterator> rows_;
};

template <typename Visit>
Status RecordReader::VisitIds(std::string_view after, const Visit& visit) {
  const std::string collection = CollectionKey(spec_.id);
  StoreIterator* const it = row_ids();
  // The last possible entry of `after` is that of version 0.
  it->Seek(after.empty() ? collection : IdKey(spec_.id, after, 0) + '\0');
  while (it->ValidWithPrefix(collection)) {
    ASSIGN_OR_RETURN(const IdKeyParts parts, DecodeIdKey(it->key()));
    const std::string prefix = IdPrefix(spec_.id, parts.id);
    ASSIGN_OR_RETURN(const IdRow found, RowAtVersion(prefix));
    if (found.row != kNoRow && !visit(parts.id, found.row)) break;
    while (it->ValidWithPrefix(prefix)) it->Next();
  }
  return it->status();
}

// Gives the vectors of one name to searches of codes. Thread-safe.
class RowVectorReader : public vectors::ExactReader {
 public:
  RowVectorReader(const Store& store, const StoredSpec& spec, std::string name)
      : store_(store), spec_(spec), name_(std::move(name)) {}
  Status Read(std::span<const vectors::RowId> rows, float* vectors) const override;

 private:
  const Store& store_;
  const StoredSpec& spec_;
  const std::string name_;
};

}  // namespace ragstone::index::records

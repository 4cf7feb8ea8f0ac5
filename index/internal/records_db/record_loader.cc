#include "index/internal/records_db/record_loader.h"

#include <unordered_set>

#include "index/filter/names.h"
#include "index/internal/keys.h"
#include "index/internal/records_db/record_checks.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kRowsAtOnce = 2048;

Result<std::unordered_set<RowId>> ReadGone(const Store& store, CollectionId collection) {
  std::unordered_set<RowId> gone;
  const std::string prefix = CollectionKey(collection);
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kRecordGone);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const GoneKeyParts parts, DecodeGoneKey(it->key()));
    gone.insert(parts.row);
  }
  RETURN_IF_ERROR(it->status());
  return gone;
}

// Collects rows and hands them to the indexes together.
class Loader {
 public:
  explicit Loader(Indexes* indexes) : indexes_(indexes) { records_.reserve(kRowsAtOnce); }

  Status Add(RowId row, Record record) {
    records_.push_back(std::move(record));
    rows_.push_back({row, &records_.back()});
    return rows_.size() < kRowsAtOnce ? OkStatus() : Flush();
  }
  Status Flush() {
    RETURN_IF_ERROR(indexes_->Stage(rows_));
    indexes_->Publish(rows_, {});
    rows_.clear();
    records_.clear();
    return OkStatus();
  }

 private:
  Indexes* const indexes_;
  std::vector<Record> records_;
  std::vector<Indexes::Row> rows_;
};

}  // namespace

Status VisitLiveRows(const Store& store, CollectionId collection,
                     const std::function<Status(RowId, std::string_view)>& visit) {
  ASSIGN_OR_RETURN(const std::unordered_set<RowId> gone, ReadGone(store, collection));
  const std::string prefix = CollectionKey(collection);
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kRecord);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const RowId row, DecodeRowKey(it->key()));
    if (!gone.contains(row)) RETURN_IF_ERROR(visit(row, it->value()));
  }
  return it->status();
}

Result<std::unique_ptr<Indexes>> LoadIndexes(const Store& store, const StoredSpec& spec,
                                             size_t seal_rows, uint64_t* records) {
  auto indexes = std::make_unique<Indexes>(spec, seal_rows);
  Loader loader(indexes.get());
  *records = 0;
  RETURN_IF_ERROR(VisitLiveRows(store, spec.id, [&](RowId row, std::string_view bytes) -> Status {
    ASSIGN_OR_RETURN(Record record, DecodeRow(spec, row, bytes, {}));
    for (const auto& [name, vector] : record.vectors) {
      if (!CheckVector(spec, name, vector).ok()) return Corrupt("record " + Quoted(record.id));
    }
    ++*records;
    return loader.Add(row, std::move(record));
  }));
  RETURN_IF_ERROR(loader.Flush());
  return indexes;
}

Result<std::shared_ptr<const TextIndexes>> MakeTextIndexes(const keywords::Shared& shared,
                                                           const StoredSpec& spec,
                                                           const TextIndexes* old) {
  ASSIGN_OR_RETURN(const keywords::Language language,
                   keywords::Language::Parse(spec.spec.language));
  auto texts = std::make_shared<TextIndexes>();
  for (const auto& [name, number] : spec.text_numbers) {
    const auto before = old == nullptr ? TextIndexes::const_iterator() : old->find(number);
    if (old != nullptr && before != old->end()) {
      texts->emplace(number, before->second);
      continue;
    }
    texts->emplace(number, std::make_shared<keywords::KeywordIndex>(
                               shared, keywords::IndexName{spec.id, number}, language));
  }
  return std::shared_ptr<const TextIndexes>(std::move(texts));
}

}  // namespace ragstone::index::records

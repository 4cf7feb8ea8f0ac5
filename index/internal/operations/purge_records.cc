// RecordDatabaseImpl::Purge.
#include "index/internal/keys.h"
#include "index/internal/operations/purge.h"
#include "index/internal/records_db/record_database_impl.h"

namespace ragstone::index::records {
namespace {

// The rows of a collection that are stored, for keyword search. Once all superseded rows were
// removed, a row that is not stored is seen by nobody, so that no index need be in memory to know
// which words may go.
class StoredRowView : public keywords::RowView {
 public:
  StoredRowView(const Store& store, CollectionId collection, SequenceNumber position)
      : store_(store), collection_(collection), position_(position) {}

  std::vector<keywords::RowRange> Hidden(std::span<const keywords::RowRange> rows) const override {
    std::vector<keywords::RowRange> hidden;
    const std::unique_ptr<StoreIterator> it = store_.NewIterator(Family::kRecord);
    for (const keywords::RowRange& range : rows) {
      RowId next = range.first;  // all rows before were looked at
      const RowId end = range.first + range.count;
      it->Seek(RowKey(collection_, next));
      while (next < end) {
        RowId row = end;
        if (it->ValidWithPrefix(CollectionKey(collection_))) {
          const Result<RowId> decoded = DecodeRowKey(it->key());
          if (!decoded.ok()) return {};
          row = std::min(*decoded, end);
          it->Next();
        } else if (!it->status().ok()) {
          return {};  // not known to be hidden
        }
        for (; next < row; ++next) keywords::AppendRow(next, &hidden);
        next = row + 1;
      }
    }
    return hidden;
  }
  uint64_t position() const override { return position_; }
  uint64_t epoch() const override { return 0; }

 private:
  const Store& store_;
  const CollectionId collection_;
  const SequenceNumber position_;
};

class StoredRowKeeper : public keywords::RowKeeper {
 public:
  StoredRowKeeper(const Store& store, const RecordCollection* collection)
      : store_(store), collection_(collection) {}

  Result<std::unique_ptr<keywords::RowView>> Now() const override {
    const StateRef state = collection_->State();
    if (state == nullptr) return RecordCollectionNotFound("");
    return std::unique_ptr<keywords::RowView>(
        std::make_unique<StoredRowView>(store_, collection_->id(), state->version));
  }
  std::vector<keywords::RowRange> Dead(std::span<const keywords::RowRange> rows) const override {
    return StoredRowView(store_, collection_->id(), 0).Hidden(rows);
  }
  bool Settled(std::span<const keywords::RowRange> rows) const override {
    const StateRef state = collection_->State();
    return state != nullptr && std::all_of(rows.begin(), rows.end(), [&](const auto& range) {
             return range.first + range.count <= state->next_row;
           });
  }

 private:
  const Store& store_;
  const RecordCollection* const collection_;
};

uint64_t CountGone(const Store& store, CollectionId collection) {
  uint64_t count = 0;
  const std::string prefix = CollectionKey(collection);
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kRecordGone);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) ++count;
  return count;
}

}  // namespace

Status RecordDatabaseImpl::Purge(const CallContext& context, uint64_t* removed) {
  std::vector<CollectionRef> collections;
  {
    MutexLock lock(&mutex_);
    for (const auto& [name, collection] : by_name_) collections.push_back(collection);
  }
  for (const CollectionRef& collection : collections) {
    *removed += CountGone(env_.store(), collection->id());
    RETURN_IF_ERROR(operations::WaitUntil(context, [&]() -> Result<bool> {
      ASSIGN_OR_RETURN(const bool waits, worker_->EndHistory(collection.get()));
      return !waits;
    }));
    TextIndexes texts;
    {
      const StateRef state = collection->State();
      if (state == nullptr) continue;  // dropped meanwhile
      texts = *state->texts;
    }
    const StoredRowKeeper keeper(env_.store(), collection.get());
    for (const auto& [number, text] : texts) {
      const Status status = text->Compact(keeper);
      if (!status.ok() && collection->State() != nullptr) return status;
    }
  }
  return operations::WaitUntil(context,
                               [&]() -> Result<bool> { return !worker_->RemovesDropped(); });
}

}  // namespace ragstone::index::records

#include "index/internal/batch_impl.h"
#include "index/internal/database_impl.h"

namespace ragstone::index {
namespace {

// Without the format byte.
Result<std::string_view> TableValue(std::string_view stored) {
  if (stored.empty() || stored[0] != '\1') return Corrupt("table row");
  return stored.substr(1);
}

}  // namespace

DatabaseImpl::DatabaseImpl(std::unique_ptr<Core> core)
    : core_(std::move(core)),
      cleaner_(std::make_unique<Cleaner>(core_.get())),
      maintainer_(std::make_unique<Maintainer>(core_.get())),
      keyword_merger_(std::make_unique<KeywordMerger>(core_.get())),
      searcher_(std::make_unique<Searcher>(core_.get(), maintainer_.get())) {}

DatabaseImpl::~DatabaseImpl() {
  keyword_merger_->Stop();
  maintainer_->Stop();
  cleaner_->Stop();
}

Status DatabaseImpl::Start() {
  // Nobody reads or writes yet, so nothing has to wait. What cannot be removed now, on a full disk
  // or for damage, must not keep readers out; the cleaner goes on trying and counts its failures.
  static_cast<void>(cleaner_->CleanVersions());
  cleaner_->Start();
  maintainer_->Start();
  keyword_merger_->Start();
  return OkStatus();
}

Result<std::optional<std::string>> DatabaseImpl::Get(Table table, std::string_view key) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   core_->store().Get(Family::kTable, TableKey(table, key)));
  if (!stored.has_value()) return std::optional<std::string>();
  ASSIGN_OR_RETURN(const std::string_view value, TableValue(*stored));
  return std::optional<std::string>(value);
}

Status DatabaseImpl::Scan(
    Table table, std::string_view begin, std::string_view end, bool descending,
    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const std::string first = TableKey(table, begin);
  const std::string last = end.empty()
                               ? std::string(1, static_cast<char>(static_cast<int>(table) + 1))
                               : TableKey(table, end);
  const std::unique_ptr<StoreIterator> it = core_->store().NewIterator(Family::kTable);
  if (descending) {
    it->SeekBefore(last);
  } else {
    it->Seek(first);
  }
  while (it->Valid() && it->key() >= first && it->key() < last) {
    ASSIGN_OR_RETURN(const std::string_view value, TableValue(it->value()));
    if (!visit(it->key().substr(1), value)) break;
    if (descending) {
      it->Prev();
    } else {
      it->Next();
    }
  }
  return it->status();
}

Status DatabaseImpl::Write(Batch batch) {
  StoreBatch rows(&core_->store());
  rows.Add(batch);
  return core_->store().Write(&rows, /*sync=*/true);
}

Result<std::vector<SearchHit>> DatabaseImpl::Search(CollectionId collection,
                                                    const SearchRequest& request,
                                                    const CallContext& context) const {
  return searcher_->Search(collection, request, context);
}

Result<std::vector<std::pair<std::string, double>>> DatabaseImpl::TermWeights(
    CollectionId collection, std::string_view text) const {
  return searcher_->TermWeights(collection, text);
}

std::vector<std::pair<std::string, uint64_t>> DatabaseImpl::Counters() const {
  uint64_t collections = 0;
  uint64_t documents = 0;
  uint64_t chunks = 0;
  uint64_t loaded = 0;
  uint64_t segment_rows = 0;
  uint64_t segment_bytes = 0;
  uint64_t field_bytes = 0;
  uint64_t keyword_segments = 0;
  for (const std::shared_ptr<Collection>& collection : core_->All()) {
    const CollectionStats stats = collection->stats();
    ++collections;
    documents += stats.documents;
    chunks += stats.chunks;
    keyword_segments += collection->keywords().segments();
    const std::shared_ptr<DocumentFields> fields = collection->fields();
    if (fields != nullptr) field_bytes += fields->bytes();
    const VectorsSeen vectors = collection->vectors_seen();
    if (vectors == nullptr) continue;
    ++loaded;
    for (const records::PartView& part : *vectors) {
      segment_rows += part.rows - std::min(part.rows, part.part->gone());
      segment_bytes += part.part->bytes();
    }
  }
  uint64_t disk_bytes = 0;
  for (size_t i = 0; i < kFamilies; ++i) {
    disk_bytes += core_->store().Property(static_cast<Family>(i), "rocksdb.total-sst-files-size");
  }
  return {
      {"collections", collections},
      {"collections_in_memory", loaded},
      {"documents", documents},
      {"chunks", chunks},
      {"vectors_in_memory", segment_rows},
      {"segment_bytes", segment_bytes},
      {"document_field_bytes", field_bytes},
      {"block_cache_bytes", core_->store().block_cache_bytes()},
      {"write_buffer_bytes", core_->store().write_buffer_bytes()},
      {"disk_bytes", disk_bytes},
      {"pending_versions", core_->store().Property(Family::kPending, "rocksdb.estimate-num-keys")},
      {"cleaner_failures", cleaner_->failures()},
      {"maintainer_failures", maintainer_->failures()},
      {"keyword_cache_bytes", core_->keyword_cache().bytes()},
      {"keyword_segments", keyword_segments},
      {"keyword_merger_failures", keyword_merger_->failures()}};
}

}  // namespace ragstone::index

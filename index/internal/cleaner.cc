#include "index/internal/cleaner.h"

#include <chrono>

#include "index/internal/records_db/index_files.h"
#include "index/internal/records_db/record_keys.h"

namespace ragstone::index {
namespace {

constexpr size_t kBatchBytes = 1 << 20;
constexpr auto kWaitForReaders = std::chrono::milliseconds(10);
constexpr auto kWaitAfterError = std::chrono::seconds(1);

// The keys that a batch of chunks wrote, from its record. Removing them and the record in one write
// makes the removal repeatable.
void DeleteEmbeddings(const CollectionInfo& info, ChunkId first, const BatchRecord& record,
                      StoreBatch* batch) {
  ChunkId chunk = first;
  for (const Sha256Digest& hash : record.hashes) {
    const std::string prefix = EmbeddingPrefix(info.spec.fingerprint, hash);
    batch->Delete(Family::kEmbedding, EmbeddingKey(prefix, info.id, chunk++));
  }
}

void DeleteBatchRows(const CollectionInfo& info, ChunkId first, const BatchRecord& record,
                     StoreBatch* batch) {
  for (uint32_t i = 0; i < record.count; ++i) {
    const std::string key = ChunkKey(info.id, first + i);
    batch->Delete(Family::kChunk, key);
    batch->Delete(Family::kVector, key);
  }
  keywords::Segment::DeleteRun({info.id, 0}, first, batch);
  DeleteEmbeddings(info, first, record, batch);
}

}  // namespace

void Cleaner::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void Cleaner::Stop() {
  stop_.store(true);
  Wake();
  if (thread_.joinable()) thread_.join();
}

void Cleaner::Wake() {
  MutexLock lock(&mutex_);
  work_ = true;
  wake_.NotifyAll();
}

void Cleaner::Loop() {
  while (!stop_.load()) {
    {
      MutexLock lock(&mutex_);
      while (!work_ && !stop_.load()) wake_.Wait(&mutex_);
      work_ = false;
    }
    if (stop_.load()) return;
    const Result<size_t> waiting = CleanOnce();
    if (waiting.ok() && *waiting == 0) continue;
    if (!waiting.ok()) ++failures_;
    // A full disk heals, readers end: try again, but not in a tight loop.
    const auto until = std::chrono::steady_clock::now() +
                       (waiting.ok() ? std::chrono::steady_clock::duration(kWaitForReaders)
                                     : std::chrono::steady_clock::duration(kWaitAfterError));
    MutexLock lock(&mutex_);
    while (!stop_.load() && std::chrono::steady_clock::now() < until) {
      wake_.WaitUntil(&mutex_, until);
      if (waiting.ok()) break;
    }
    work_ = true;
  }
}

Result<size_t> Cleaner::CleanOnce() {
  ASSIGN_OR_RETURN(const size_t versions, CleanVersions());
  ASSIGN_OR_RETURN(const size_t collections, CleanCollections());
  return versions + collections;
}

Result<size_t> Cleaner::CleanVersions() {
  size_t waiting = 0;
  Status first_error;  // one damaged version must not keep the others
  const std::unique_ptr<StoreIterator> it = core_->store().NewIterator(Family::kPending);
  for (it->Seek(""); it->Valid() && !stop_.load(); it->Next()) {
    ASSIGN_OR_RETURN(const VersionKeyParts parts, DecodeVersionKey(it->key()));
    const Result<bool> cleaned = CleanVersion(parts);
    if (!cleaned.ok()) {
      if (cleaned.status().reason() != Reason::kDataCorrupt) return cleaned.status();
      if (first_error.ok()) first_error = cleaned.status();
    } else if (!*cleaned) {
      ++waiting;
    }
  }
  RETURN_IF_ERROR(it->status());
  RETURN_IF_ERROR(first_error);
  return waiting;
}

Result<bool> Cleaner::CleanVersion(const VersionKeyParts& parts) {
  const Result<std::shared_ptr<Collection>> found = core_->Find(parts.collection);
  if (!found.ok()) return true;  // dropped: removed with the collection
  const Collection& collection = **found;
  if (core_->IsOpenVersion(parts.version)) return true;  // its writer wakes us when it ends
  // Read only now: a version whose writer has ended is either published, and then has no record
  // here until it is retired, or will never be.
  const std::string key = VersionKey(parts.collection, parts.document, parts.version);
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   core_->store().Get(Family::kPending, key));
  if (!stored.has_value()) return true;
  ASSIGN_OR_RETURN(const PendingRecord record, DecodePending(*stored));
  if (record.published && collection.Oldest() < record.valid_to) return false;
  CollectionInfo info;
  info.id = parts.collection;
  info.spec = collection.spec();
  RETURN_IF_ERROR(RemoveVersion(info, key, &collection.keywords()));
  (*found)->Forget(parts.version);
  // Its runs are removed, but rows that were merged stay until they are merged again.
  if (record.published) collection.keywords().Died();
  return true;
}

Status Cleaner::RemoveVersion(const CollectionInfo& info, const std::string& prefix,
                              keywords::KeywordIndex* keywords) {
  Store& store = core_->store();
  const std::unique_ptr<StoreIterator> batches = store.NewIterator(Family::kBatch);
  for (batches->Seek(prefix); batches->ValidWithPrefix(prefix); batches->Next()) {
    ASSIGN_OR_RETURN(const BatchRecord record, DecodeBatch(batches->value()));
    ASSIGN_OR_RETURN(const ChunkId first, DecodeKeySuffix(batches->key()));
    StoreBatch batch(&store);
    DeleteBatchRows(info, first, record, &batch);
    batch.Delete(Family::kBatch, batches->key());
    RETURN_IF_ERROR(store.Write(&batch, /*sync=*/false));
    keywords->Removed(first);
  }
  RETURN_IF_ERROR(batches->status());
  StoreBatch batch(&store);
  const std::unique_ptr<StoreIterator> pages = store.NewIterator(Family::kPage);
  for (pages->Seek(prefix); pages->ValidWithPrefix(prefix); pages->Next()) {
    batch.Delete(Family::kPage, pages->key());
    if (batch.bytes() < kBatchBytes) continue;
    RETURN_IF_ERROR(store.Write(&batch, /*sync=*/false));
    batch.Clear();
  }
  RETURN_IF_ERROR(pages->status());
  batch.Delete(Family::kPending, prefix);
  return store.Write(&batch, /*sync=*/false);
}

Result<size_t> Cleaner::CleanCollections() {
  size_t waiting = 0;
  const std::unique_ptr<StoreIterator> it = core_->store().NewIterator(Family::kMeta);
  for (it->Seek(kMetaDropPrefix); it->ValidWithPrefix(kMetaDropPrefix) && !stop_.load();
       it->Next()) {
    ASSIGN_OR_RETURN(const CollectionInfo info, DecodeCollection(it->value()));
    const bool in_reach = core_->Find(info.id).ok();
    const std::shared_ptr<Collection> collection = core_->FindDropped(info.id);
    if (in_reach) {  // its deletion is on disk, but has not returned yet
      ++waiting;
      continue;
    }
    if (collection != nullptr && (collection->pinned() || collection->writers() > 0)) {
      ++waiting;
      continue;
    }
    // A merge that still runs would write behind the removal.
    if (collection != nullptr) collection->keywords().Drop();
    RETURN_IF_ERROR(RemoveCollection(info));
    core_->ForgetDropped(info.id);
  }
  RETURN_IF_ERROR(it->status());
  return waiting;
}

Status Cleaner::RemoveCollection(const CollectionInfo& info) {
  Store& store = core_->store();
  const std::string begin = CollectionKey(info.id);
  StoreBatch batch(&store);
  // Embeddings are not ordered by collection, so the batches' records name them.
  const std::unique_ptr<StoreIterator> batches = store.NewIterator(Family::kBatch);
  for (batches->Seek(begin); batches->ValidWithPrefix(begin); batches->Next()) {
    ASSIGN_OR_RETURN(const BatchRecord record, DecodeBatch(batches->value()));
    ASSIGN_OR_RETURN(const ChunkId first, DecodeKeySuffix(batches->key()));
    DeleteEmbeddings(info, first, record, &batch);
    if (batch.bytes() < kBatchBytes) continue;
    RETURN_IF_ERROR(store.Write(&batch, /*sync=*/false));
    batch.Clear();
    if (stop_.load()) return OkStatus();  // the next start goes on
  }
  RETURN_IF_ERROR(batches->status());
  if (!batch.empty()) RETURN_IF_ERROR(store.Write(&batch, /*sync=*/false));
  batch.Clear();
  const std::string end = CollectionKey(info.id + 1);
  for (const Family family : {Family::kDocument, Family::kSource, Family::kPending, Family::kBatch,
                              Family::kPage, Family::kChunk, Family::kVector, Family::kPosting}) {
    RETURN_IF_ERROR(store.DeleteRange(family, begin, end));
  }
  records::IndexFolder(store.dir(), info.id).KeepOnly({});
  batch.Delete(Family::kMeta, records::ManifestKey(info.id));
  batch.Delete(Family::kMeta, MetaDropKey(info.id));
  return store.Write(&batch, /*sync=*/false);
}

}  // namespace ragstone::index

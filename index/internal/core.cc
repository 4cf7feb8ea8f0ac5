#include "index/internal/core.h"

namespace ragstone::index {
namespace {

Status CollectionNotFound(const std::string& which) {
  return NotFound(Reason::kCollectionNotFound,
                  "there is no collection " + which + "; `collection list` shows those there are");
}

}  // namespace

std::string MetaCollectionKey(CollectionId id) {
  return std::string(kMetaCollectionPrefix) + CollectionKey(id);
}

std::string MetaStatsKey(CollectionId id) { return "stats/" + CollectionKey(id); }

std::string MetaDropKey(CollectionId id) {
  return std::string(kMetaDropPrefix) + CollectionKey(id);
}

Result<std::unique_ptr<Core>> Core::Open(const DatabaseOptions& options, const Clock* clock) {
  std::unique_ptr<Core> core(new Core(options, clock));
  ASSIGN_OR_RETURN(core->store_,
                   Store::Open(options.dir, options.memory_bytes, options.on_storage_warning));
  Store* store = core->store_.get();
  store->set_disk_reserve(options.disk_reserve_bytes);
  ASSIGN_OR_RETURN(core->collection_ids_, IdAllocator::Open(store, "counter/collection", 0));
  ASSIGN_OR_RETURN(core->document_ids_, IdAllocator::Open(store, "counter/document", 64));
  ASSIGN_OR_RETURN(core->chunk_ids_, IdAllocator::Open(store, "counter/chunk", 16384));
  ASSIGN_OR_RETURN(core->version_ids_, IdAllocator::Open(store, "counter/version", 64));
  ASSIGN_OR_RETURN(core->sequences_, IdAllocator::Open(store, "counter/sequence", 1024));
  ASSIGN_OR_RETURN(core->keyword_segment_ids_,
                   IdAllocator::Open(store, "counter/keyword-segment", 64));
  RETURN_IF_ERROR(core->LoadCollections());
  return core;
}

Status Core::LoadCollections() {
  // Everything on disk has a smaller number.
  ASSIGN_OR_RETURN(const SequenceNumber visible, sequences_->Take());
  const std::unique_ptr<StoreIterator> it = store_->NewIterator(Family::kMeta);
  for (it->Seek(kMetaCollectionPrefix); it->ValidWithPrefix(kMetaCollectionPrefix); it->Next()) {
    ASSIGN_OR_RETURN(CollectionInfo info, DecodeCollection(it->value()));
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     store_->Get(Family::kMeta, MetaStatsKey(info.id)));
    if (!stored.has_value()) return Corrupt("counts of collection " + info.spec.name);
    ASSIGN_OR_RETURN(const CollectionStats stats, DecodeStats(*stored));
    RETURN_IF_ERROR(Add(std::make_shared<Collection>(std::move(info), stats, visible)));
  }
  return it->status();
}

Result<std::shared_ptr<Collection>> Core::Find(CollectionId id) const {
  MutexLock lock(&mutex_);
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return CollectionNotFound("with id " + std::to_string(id));
  return it->second;
}

Result<std::shared_ptr<Collection>> Core::FindByName(std::string_view name) const {
  MutexLock lock(&mutex_);
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) return CollectionNotFound('"' + std::string(name) + '"');
  return it->second;
}

std::vector<std::shared_ptr<Collection>> Core::List(std::string_view after, size_t limit) const {
  std::vector<std::shared_ptr<Collection>> list;
  MutexLock lock(&mutex_);
  for (auto it = by_name_.upper_bound(after); it != by_name_.end() && list.size() < limit; ++it) {
    list.push_back(it->second);
  }
  return list;
}

std::vector<std::shared_ptr<Collection>> Core::All() const { return List("", SIZE_MAX); }

Status Core::Add(std::shared_ptr<Collection> collection) {
  ASSIGN_OR_RETURN(const keywords::Language language,
                   keywords::Language::Parse(collection->spec().language));
  const keywords::Shared shared{store_.get(), keyword_segment_ids_.get(), keyword_cache_.get(),
                                &keyword_work_};
  collection->AttachKeywords(std::make_shared<keywords::KeywordIndex>(
      shared, keywords::IndexName{collection->id(), 0}, language));
  MutexLock lock(&mutex_);
  by_name_[collection->spec().name] = collection;
  by_id_[collection->id()] = std::move(collection);
  return OkStatus();
}

void Core::Remove(const std::shared_ptr<Collection>& collection) {
  MutexLock lock(&mutex_);
  by_name_.erase(collection->spec().name);
  by_id_.erase(collection->id());
  dropped_[collection->id()] = collection;
}

std::shared_ptr<Collection> Core::FindDropped(CollectionId id) const {
  MutexLock lock(&mutex_);
  const auto it = dropped_.find(id);
  return it == dropped_.end() ? nullptr : it->second;
}

void Core::ForgetDropped(CollectionId id) {
  MutexLock lock(&mutex_);
  dropped_.erase(id);
}

void Core::OpenVersion(VersionId version) {
  MutexLock lock(&mutex_);
  open_versions_.insert(version);
}

void Core::CloseVersion(VersionId version) {
  MutexLock lock(&mutex_);
  open_versions_.erase(version);
}

bool Core::IsOpenVersion(VersionId version) const {
  MutexLock lock(&mutex_);
  return open_versions_.count(version) != 0;
}

}  // namespace ragstone::index

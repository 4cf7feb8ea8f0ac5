#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "index/database.h"
#include "index/internal/collection.h"
#include "index/internal/id_allocator.h"
#include "index/internal/store.h"

namespace ragstone::index {

// What all parts of an open database share. Thread-safe.
class Core {
 public:
  static Result<std::unique_ptr<Core>> Open(const DatabaseOptions& options, const Clock* clock);

  const DatabaseOptions& options() const { return options_; }
  const Clock& clock() const { return *clock_; }
  Store& store() { return *store_; }
  const Store& store() const { return *store_; }
  IdAllocator& collection_ids() { return *collection_ids_; }
  IdAllocator& document_ids() { return *document_ids_; }
  IdAllocator& chunk_ids() { return *chunk_ids_; }
  IdAllocator& version_ids() { return *version_ids_; }
  IdAllocator& sequences() { return *sequences_; }
  // Told when keywords may have to be merged.
  keywords::WorkSignal& keyword_work() { return keyword_work_; }
  const keywords::ListCache& keyword_cache() const { return *keyword_cache_; }

  // NOT_FOUND (COLLECTION_NOT_FOUND).
  Result<std::shared_ptr<Collection>> Find(CollectionId id) const;
  Result<std::shared_ptr<Collection>> FindByName(std::string_view name) const;
  // By name, after `after`.
  std::vector<std::shared_ptr<Collection>> List(std::string_view after, size_t limit) const;
  std::vector<std::shared_ptr<Collection>> All() const;
  // INVALID_ARGUMENT if its language is not known.
  Status Add(std::shared_ptr<Collection> collection);
  // Moves it from the collections to the dropped ones.
  void Remove(const std::shared_ptr<Collection>& collection);
  // Null if it was dropped before the database was opened.
  std::shared_ptr<Collection> FindDropped(CollectionId id) const;
  void ForgetDropped(CollectionId id);

  // Versions that a writer adds rows to.
  void OpenVersion(VersionId version);
  void CloseVersion(VersionId version);
  bool IsOpenVersion(VersionId version) const;

 private:
  Core(const DatabaseOptions& options, const Clock* clock)
      : options_(options),
        clock_(clock),
        keyword_cache_(std::make_unique<keywords::ListCache>(options.memory_bytes / 8)) {}
  Status LoadCollections();

  const DatabaseOptions options_;
  const Clock* const clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<IdAllocator> collection_ids_;
  std::unique_ptr<IdAllocator> document_ids_;
  std::unique_ptr<IdAllocator> chunk_ids_;
  std::unique_ptr<IdAllocator> version_ids_;
  std::unique_ptr<IdAllocator> sequences_;
  std::unique_ptr<IdAllocator> keyword_segment_ids_;
  const std::unique_ptr<keywords::ListCache> keyword_cache_;
  keywords::WorkSignal keyword_work_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Collection>, std::less<>> by_name_ GUARDED_BY(mutex_);
  std::unordered_map<CollectionId, std::shared_ptr<Collection>> by_id_ GUARDED_BY(mutex_);
  std::unordered_map<CollectionId, std::shared_ptr<Collection>> dropped_ GUARDED_BY(mutex_);
  std::set<VersionId> open_versions_ GUARDED_BY(mutex_);
};

// Keys of Family::kMeta. Counters have the names given in core.cc.
std::string MetaCollectionKey(CollectionId id);  // collection records
std::string MetaStatsKey(CollectionId id);
std::string MetaDropKey(CollectionId id);  // collections whose rows are to be removed
inline constexpr std::string_view kMetaCollectionPrefix = "collection/";
inline constexpr std::string_view kMetaDropPrefix = "drop/";

}  // namespace ragstone::index

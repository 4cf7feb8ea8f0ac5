#include <algorithm>

#include "index/internal/collection_name.h"
#include "index/internal/database_impl.h"
#include "index/internal/records_db/record_keys.h"
#include "index/limits.h"

namespace ragstone::index {
namespace {

Status CheckSettings(const CollectionSettings& settings) {
  if (settings.default_mode > SearchMode::kKeyword) {
    return InvalidArgument(Reason::kInvalidArgument, "unknown search mode");
  }
  const double cosine = settings.unrelated_cosine.value_or(0);
  if (cosine >= -1 && cosine < 1) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "the cosine of unrelated texts is " + std::to_string(cosine) +
                             "; it must be -1 to below 1: about 0 for most models");
}

Status CheckSpec(const CollectionSpec& spec) {
  RETURN_IF_ERROR(CheckCollectionName(spec.name));
  if (spec.dimensions < 1 || spec.dimensions > kDimensionsMax) {
    return InvalidArgument(Reason::kInvalidArgument, "a collection of vectors with " +
                                                         std::to_string(spec.dimensions) +
                                                         " dimensions is not possible; 1 to " +
                                                         std::to_string(kDimensionsMax) + " are");
  }
  RETURN_IF_ERROR(keywords::Language::Parse(spec.language).status());
  return CheckSettings(spec.settings);
}

}  // namespace

Result<CollectionInfo> DatabaseImpl::CreateCollection(const CollectionSpec& spec, Batch also) {
  RETURN_IF_ERROR(CheckSpec(spec));
  // Held over the write: two creations of one name must not both find it free.
  MutexLock lock(&collections_mutex_);
  ASSIGN_OR_RETURN(const std::optional<std::string> records,
                   core_->store().Get(Family::kMeta, records::NameKey(spec.name)));
  if (records.has_value() || core_->FindByName(spec.name).ok()) {
    return Status(StatusCode::kAlreadyExists, Reason::kCollectionExists,
                  "the collection \"" + spec.name + "\" exists; use it or delete it first");
  }
  CollectionInfo info;
  ASSIGN_OR_RETURN(const uint64_t id, core_->collection_ids().Take());
  if (id >= UINT32_MAX) {
    return ResourceExhausted(Reason::kLimitExceeded,
                             "all 4294967294 collection ids were used; start a new data directory");
  }
  info.id = static_cast<CollectionId>(id);
  info.spec = spec;
  if (info.spec.language.empty()) info.spec.language = "auto";
  info.settings = spec.settings;
  info.created_ns = core_->clock().NowNs();
  ASSIGN_OR_RETURN(const SequenceNumber visible, core_->sequences().Take());
  StoreBatch batch(&core_->store());
  batch.Put(Family::kMeta, MetaCollectionKey(info.id), EncodeCollection(info));
  batch.Put(Family::kMeta, MetaStatsKey(info.id), EncodeStats(CollectionStats()));
  batch.Add(also);
  RETURN_IF_ERROR(core_->store().Write(&batch, /*sync=*/true));
  auto collection = std::make_shared<Collection>(info, CollectionStats(), visible);
  RETURN_IF_ERROR(core_->Add(collection));
  return collection->Describe(core_->options().hnsw_vectors_min);
}

Result<CollectionInfo> DatabaseImpl::AlterCollection(std::string_view name,
                                                     const CollectionSettings& settings,
                                                     Batch also) {
  RETURN_IF_ERROR(CheckSettings(settings));
  // Held over the write, so that a deletion does not come in between.
  MutexLock lock(&collections_mutex_);
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> collection, core_->FindByName(name));
  CollectionInfo info = collection->Stored();
  info.settings = settings;
  StoreBatch batch(&core_->store());
  batch.Put(Family::kMeta, MetaCollectionKey(info.id), EncodeCollection(info));
  batch.Add(also);
  RETURN_IF_ERROR(core_->store().Write(&batch, /*sync=*/true));
  collection->set_settings(settings);
  return collection->Describe(core_->options().hnsw_vectors_min);
}

Result<CollectionInfo> DatabaseImpl::GetCollection(std::string_view name) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> collection, core_->FindByName(name));
  return collection->Describe(core_->options().hnsw_vectors_min);
}

Result<std::vector<CollectionInfo>> DatabaseImpl::ListCollections(std::string_view after,
                                                                  size_t limit) const {
  std::vector<CollectionInfo> list;
  for (const std::shared_ptr<Collection>& collection : core_->List(after, limit)) {
    list.push_back(collection->Describe(core_->options().hnsw_vectors_min));
  }
  return list;
}

Result<uint64_t> DatabaseImpl::DeleteCollection(std::string_view name, Batch also) {
  MutexLock lock(&collections_mutex_);
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> collection, core_->FindByName(name));
  MutexLock commit(&collection->commit_mutex());
  const uint64_t documents = collection->stats().documents;
  CollectionInfo info;
  info.id = collection->id();
  info.spec = collection->spec();
  StoreBatch batch(&core_->store());
  batch.Delete(Family::kMeta, MetaCollectionKey(info.id));
  batch.Delete(Family::kMeta, MetaStatsKey(info.id));
  batch.Put(Family::kMeta, MetaDropKey(info.id), EncodeCollection(info));
  batch.Add(also);
  RETURN_IF_ERROR(core_->store().Write(&batch, /*sync=*/true));
  // Marked before it can be cleaned: whoever still holds it looks at the mark after pinning, so
  // either the cleaner sees the pin or the reader sees the mark.
  collection->Drop();
  core_->Remove(collection);
  cleaner_->Wake();
  return documents;
}

}  // namespace ragstone::index

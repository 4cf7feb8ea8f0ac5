#include <algorithm>
#include <unordered_map>

#include "index/internal/database_impl.h"
#include "index/internal/document_filter.h"
#include "index/internal/document_writer.h"
#include "index/internal/publisher.h"

namespace ragstone::index {
namespace {

Status DocumentNotFound(DocumentId id) {
  return NotFound(Reason::kDocumentNotFound, "there is no document with id " + std::to_string(id) +
                                                 " in the collection; it may have been deleted");
}

}  // namespace

Result<std::optional<DocumentRecord>> DatabaseImpl::FindRecord(CollectionId collection,
                                                               DocumentId id) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   core_->store().Get(Family::kDocument, DocumentKey(collection, id)));
  if (!stored.has_value()) return std::optional<DocumentRecord>();
  ASSIGN_OR_RETURN(DocumentRecord record, DecodeDocument(*stored));
  record.info.id = id;
  record.info.collection = collection;
  return std::optional<DocumentRecord>(std::move(record));
}

Result<DocumentRecord> DatabaseImpl::ReadDocument(const Collection& collection,
                                                  DocumentId id) const {
  ASSIGN_OR_RETURN(std::optional<DocumentRecord> record, FindRecord(collection.id(), id));
  if (!record.has_value()) return DocumentNotFound(id);
  return *std::move(record);
}

Result<DocumentInfo> DatabaseImpl::GetDocument(CollectionId collection, DocumentId id) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  ASSIGN_OR_RETURN(DocumentRecord record, ReadDocument(*found, id));
  return std::move(record.info);
}

Result<std::optional<DocumentInfo>> DatabaseImpl::FindBySource(CollectionId collection,
                                                               std::string_view source) const {
  RETURN_IF_ERROR(core_->Find(collection).status());
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   core_->store().Get(Family::kSource, SourceKey(collection, source)));
  if (!stored.has_value()) return std::optional<DocumentInfo>();
  ASSIGN_OR_RETURN(const DocumentId id, DecodeNumber(*stored));
  ASSIGN_OR_RETURN(std::optional<DocumentRecord> record, FindRecord(collection, id));
  if (!record.has_value()) return std::optional<DocumentInfo>();
  return std::optional<DocumentInfo>(std::move(record->info));
}

Result<std::vector<DocumentInfo>> DatabaseImpl::ListDocuments(CollectionId collection,
                                                              DocumentId after,
                                                              size_t limit) const {
  RETURN_IF_ERROR(core_->Find(collection).status());
  std::vector<DocumentInfo> list;
  if (after == UINT64_MAX) return list;
  const std::string prefix = CollectionKey(collection);
  const std::unique_ptr<StoreIterator> it = core_->store().NewIterator(Family::kDocument);
  it->Seek(DocumentKey(collection, after + 1));
  for (; it->ValidWithPrefix(prefix) && list.size() < limit; it->Next()) {
    ASSIGN_OR_RETURN(DocumentRecord record, DecodeDocument(it->value()));
    ASSIGN_OR_RETURN(record.info.id, DecodeKeySuffix(it->key()));
    record.info.collection = collection;
    list.push_back(std::move(record.info));
  }
  RETURN_IF_ERROR(it->status());
  return list;
}

Result<std::vector<DocumentInfo>> DatabaseImpl::FilterDocuments(CollectionId collection,
                                                                const Filter& filter,
                                                                DocumentId after, size_t limit,
                                                                const CallContext& context) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  RETURN_IF_ERROR(found->EnsureFields(core_->store()));
  const Collection::Pin pin = found->PinNow();
  ASSIGN_OR_RETURN(const std::vector<DocumentId> ids,
                   SelectDocuments(core_->store(), *found, {&filter, pin.sequence()}, context));
  std::vector<DocumentInfo> list;
  for (auto it = std::upper_bound(ids.begin(), ids.end(), after);
       it != ids.end() && list.size() < limit; ++it) {
    ASSIGN_OR_RETURN(std::optional<DocumentRecord> record, FindRecord(collection, *it));
    if (record.has_value()) list.push_back(std::move(record->info));  // else deleted meanwhile
  }
  return list;
}

Result<PageRecord> DatabaseImpl::GetPage(CollectionId collection, DocumentId id,
                                         uint32_t page) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  // The pin keeps the rows of the version found next.
  const Collection::Pin pin = found->PinNow();
  ASSIGN_OR_RETURN(const DocumentRecord record, ReadDocument(*found, id));
  ASSIGN_OR_RETURN(
      const std::optional<std::string> stored,
      core_->store().Get(Family::kPage, PageKey(VersionKey(collection, id, record.version), page)));
  if (!stored.has_value()) {
    return NotFound(Reason::kDocumentNotFound, "document " + std::to_string(id) + " has no page " +
                                                   std::to_string(page) + "; it has " +
                                                   std::to_string(record.info.pages));
  }
  return DecodePage(*stored);
}

Result<DocumentInfo> DatabaseImpl::UpdateMetadata(CollectionId collection, DocumentId id,
                                                  const Metadata& metadata, Batch also) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  MutexLock commit(&found->commit_mutex());
  Publisher publisher(core_.get(), found.get());
  RETURN_IF_ERROR(publisher.Begin());
  ASSIGN_OR_RETURN(DocumentRecord record, ReadDocument(*found, id));
  record.info.metadata = metadata;
  record.info.updated_ns = core_->clock().NowNs();
  publisher.Rewrite(record);
  publisher.batch()->Add(also);
  RETURN_IF_ERROR(publisher.Publish());
  return std::move(record.info);
}

Status DatabaseImpl::TouchDocument(CollectionId collection, DocumentId id) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  MutexLock commit(&found->commit_mutex());
  if (found->dropped()) return DocumentNotFound(id);
  ASSIGN_OR_RETURN(DocumentRecord record, ReadDocument(*found, id));
  record.info.accessed_ns = core_->clock().NowNs();
  StoreBatch batch(&core_->store());
  batch.Put(Family::kDocument, DocumentKey(collection, id), EncodeDocument(record));
  // Losing the time of a last access in a power cut does no harm.
  return core_->store().Write(&batch, /*sync=*/false);
}

Status DatabaseImpl::DeleteDocument(CollectionId collection, DocumentId id, Batch also) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  {
    MutexLock commit(&found->commit_mutex());
    Publisher publisher(core_.get(), found.get());
    RETURN_IF_ERROR(publisher.Begin());
    ASSIGN_OR_RETURN(const DocumentRecord record, ReadDocument(*found, id));
    publisher.Retire(record);
    publisher.batch()->Add(also);
    RETURN_IF_ERROR(publisher.Publish());
  }
  cleaner_->Wake();
  maintainer_->Wake();
  return OkStatus();
}

Result<DocumentId> DatabaseImpl::NewDocumentId() { return core_->document_ids().Take(); }

Result<std::unique_ptr<DocumentWriter>> DatabaseImpl::BeginDocument(CollectionId collection,
                                                                    DocumentId id) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  ASSIGN_OR_RETURN(
      std::unique_ptr<StoredDocumentWriter> writer,
      StoredDocumentWriter::Begin(core_.get(), {cleaner_.get(), maintainer_.get()}, found, id));
  return std::unique_ptr<DocumentWriter>(std::move(writer));
}

Result<std::vector<ChunkRecord>> DatabaseImpl::GetChunks(CollectionId collection,
                                                         std::span<const ChunkId> ids) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  const Collection::Pin pin = found->PinNow();
  std::unordered_map<DocumentId, VersionId> published;  // 0: none
  std::vector<ChunkRecord> chunks;
  for (const ChunkId id : ids) {
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     core_->store().Get(Family::kChunk, ChunkKey(collection, id)));
    if (!stored.has_value()) continue;
    ASSIGN_OR_RETURN(auto chunk, DecodeChunk(*stored));
    const DocumentId document = chunk.first.document;
    auto it = published.find(document);
    if (it == published.end()) {
      ASSIGN_OR_RETURN(const std::optional<DocumentRecord> record,
                       FindRecord(collection, document));
      it = published.emplace(document, record.has_value() ? record->version : 0).first;
    }
    if (it->second != chunk.second) continue;
    chunk.first.id = id;
    chunks.push_back(std::move(chunk.first));
  }
  return chunks;
}

Result<std::vector<ChunkRecord>> DatabaseImpl::GetChunkRange(CollectionId collection, DocumentId id,
                                                             uint32_t first, uint32_t last) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> found, core_->Find(collection));
  const Collection::Pin pin = found->PinNow();
  ASSIGN_OR_RETURN(const DocumentRecord record, ReadDocument(*found, id));
  std::vector<ChunkRecord> chunks;
  uint64_t ordinal = 0;  // chunks are numbered in the order they were added
  for (const ChunkRange& range : record.chunks) {
    for (uint32_t i = 0; i < range.count; ++i, ++ordinal) {
      if (ordinal < first || ordinal > last) continue;
      const ChunkId chunk_id = range.first + i;
      ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                       core_->store().Get(Family::kChunk, ChunkKey(collection, chunk_id)));
      if (!stored.has_value()) return Corrupt("chunk " + std::to_string(chunk_id));
      ASSIGN_OR_RETURN(auto chunk, DecodeChunk(*stored));
      chunk.first.id = chunk_id;
      chunks.push_back(std::move(chunk.first));
    }
  }
  return chunks;
}

Result<std::optional<std::vector<float>>> DatabaseImpl::FindEmbedding(
    StoreIterator* it, const std::string& prefix) const {
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const ChunkKeyParts key, DecodeChunkKey(it->key().substr(prefix.size())));
    const Result<std::shared_ptr<Collection>> collection = core_->Find(key.collection);
    if (!collection.ok()) continue;
    ASSIGN_OR_RETURN(const RowOwner owner, DecodeOwner(it->value()));
    ASSIGN_OR_RETURN(const std::optional<DocumentRecord> record,
                     FindRecord(key.collection, owner.document));
    if (!record.has_value() || record->version != owner.version) continue;
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     core_->store().Get(Family::kVector, ChunkKey(key.collection, key.chunk)));
    if (!stored.has_value()) continue;  // deleted since the record was read
    std::vector<float> vector((*collection)->spec().dimensions);
    RETURN_IF_ERROR(DecodeVector(*stored, vector.size(), vector.data()).status());
    return std::optional<std::vector<float>>(std::move(vector));
  }
  RETURN_IF_ERROR(it->status());
  return std::optional<std::vector<float>>();
}

Result<std::vector<std::optional<std::vector<float>>>> DatabaseImpl::FindEmbeddings(
    std::string_view fingerprint, std::span<const Sha256Digest> hashes) const {
  const std::unique_ptr<StoreIterator> it = core_->store().NewIterator(Family::kEmbedding);
  std::vector<std::optional<std::vector<float>>> vectors;
  for (const Sha256Digest& hash : hashes) {
    ASSIGN_OR_RETURN(auto vector, FindEmbedding(it.get(), EmbeddingPrefix(fingerprint, hash)));
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

}  // namespace ragstone::index

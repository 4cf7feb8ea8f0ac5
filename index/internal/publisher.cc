#include "index/internal/publisher.h"

namespace ragstone::index {

Status Publisher::Begin() {
  if (collection_->dropped()) {
    return Status(StatusCode::kAborted, Reason::kCollectionNotFound,
                  "the collection \"" + collection_->spec().name +
                      "\" was deleted meanwhile; create it and add the document again");
  }
  ASSIGN_OR_RETURN(change_.sequence, core_->sequences().Take());
  return OkStatus();
}

Result<std::optional<DocumentRecord>> Publisher::Read(DocumentId document) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   core_->store().Get(Family::kDocument, DocumentKey(collection_->id(), document)));
  if (!stored.has_value()) return std::optional<DocumentRecord>();
  ASSIGN_OR_RETURN(DocumentRecord record, DecodeDocument(*stored));
  record.info.id = document;
  record.info.collection = collection_->id();
  return std::optional<DocumentRecord>(std::move(record));
}

void Publisher::Retire(const DocumentRecord& record) {
  const CollectionId id = collection_->id();
  PendingRecord pending;
  pending.published = true;
  pending.valid_from = record.valid_from;
  pending.valid_to = change_.sequence;
  batch_.Put(Family::kPending, VersionKey(id, record.info.id, record.version),
             EncodePending(pending));
  batch_.Delete(Family::kDocument, DocumentKey(id, record.info.id));
  batch_.Delete(Family::kSource, SourceKey(id, record.info.source));
  stats_.documents -= 1;
  stats_.chunks -= record.info.chunks;
  stats_.words -= record.words;
  change_.retired.push_back(record.info.id);
}

void Publisher::Add(DocumentRecord record, std::shared_ptr<VersionState> state) {
  const CollectionId id = collection_->id();
  record.valid_from = change_.sequence;
  batch_.Delete(Family::kPending, VersionKey(id, record.info.id, record.version));
  batch_.Put(Family::kSource, SourceKey(id, record.info.source), EncodeNumber(record.info.id));
  Put(record);
  stats_.documents += 1;
  stats_.chunks += record.info.chunks;
  stats_.words += record.words;
  change_.added = std::move(state);
  change_.record = std::move(record);
}

void Publisher::Rewrite(const DocumentRecord& record) {
  Put(record);
  change_.record = record;
}

void Publisher::Put(const DocumentRecord& record) {
  batch_.Put(Family::kDocument, DocumentKey(collection_->id(), record.info.id),
             EncodeDocument(record));
}

Status Publisher::Publish() {
  batch_.Put(Family::kMeta, MetaStatsKey(collection_->id()), EncodeStats(stats_));
  RETURN_IF_ERROR(core_->store().Write(&batch_, /*sync=*/true));
  change_.stats = stats_;
  collection_->Publish(change_);
  return OkStatus();
}

}  // namespace ragstone::index

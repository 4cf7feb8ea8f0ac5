#include "index/internal/document_writer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "index/internal/publisher.h"

namespace ragstone::index {
namespace {

constexpr size_t kBatchChunks = 256;
constexpr size_t kBatchBytes = 4 << 20;
constexpr size_t kSourceBytesMax = 4096;

Status CheckVectors(std::span<const ChunkRecord> chunks, std::span<const float> vectors,
                    const CollectionSpec& spec) {
  if (vectors.size() != chunks.size() * spec.dimensions) {
    return InvalidArgument(Reason::kInvalidArgument,
                           std::to_string(chunks.size()) + " chunks came with " +
                               std::to_string(vectors.size()) + " vector values, collection " +
                               spec.name + " expects " + std::to_string(spec.dimensions) +
                               " for each chunk; embed with its model, " + spec.embedding_model);
  }
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (std::isfinite(vectors[i])) continue;
    return InvalidArgument(
        Reason::kInvalidArgument,
        "the vector of chunk " + std::to_string(chunks[i / spec.dimensions].ordinal) +
            " holds NaN or infinity at place " + std::to_string(i % spec.dimensions) +
            "; all values must be finite: check the embedding model");
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<StoredDocumentWriter>> StoredDocumentWriter::Begin(
    Core* core, Background background, const std::shared_ptr<Collection>& collection,
    DocumentId document) {
  ASSIGN_OR_RETURN(const VersionId version, core->version_ids().Take());
  return std::unique_ptr<StoredDocumentWriter>(
      new StoredDocumentWriter(core, background, collection, RowOwner{document, version}));
}

StoredDocumentWriter::StoredDocumentWriter(Core* core, Background background,
                                           std::shared_ptr<Collection> collection, RowOwner owner)
    : core_(core),
      background_(background),
      collection_(std::move(collection)),
      owner_(owner),
      key_(VersionKey(collection_->id(), owner.document, owner.version)) {
  core_->OpenVersion(owner_.version);
  collection_->AddWriter(1);
}

StoredDocumentWriter::~StoredDocumentWriter() {
  core_->CloseVersion(owner_.version);
  collection_->AddWriter(-1);
  if (pending_written_ && !committed_) background_.cleaner->Wake();
}

Status StoredDocumentWriter::CheckOpen() const {
  if (committed_) {
    return FailedPrecondition(Reason::kInvalidArgument,
                              "the document version was committed; begin a new one");
  }
  if (!collection_->dropped()) return OkStatus();
  return Status(StatusCode::kAborted, Reason::kCollectionNotFound,
                "the collection \"" + collection_->spec().name +
                    "\" was deleted meanwhile; create it and add the document again");
}

void StoredDocumentWriter::MarkPending(StoreBatch* batch) {
  if (!pending_written_) batch->Put(Family::kPending, key_, EncodePending(PendingRecord()));
}

Status StoredDocumentWriter::WriteRows(StoreBatch* batch) {
  RETURN_IF_ERROR(core_->store().CheckRoom(batch->bytes()));
  RETURN_IF_ERROR(core_->store().Write(batch, /*sync=*/false));
  pending_written_ = true;
  return OkStatus();
}

Status StoredDocumentWriter::AddPages(std::span<const PageRecord> pages) {
  RETURN_IF_ERROR(CheckOpen());
  StoreBatch batch(&core_->store());
  for (const PageRecord& page : pages) {
    ASSIGN_OR_RETURN(const std::string value, EncodePage(page));
    MarkPending(&batch);
    batch.Put(Family::kPage, PageKey(key_, page.number), value);
    if (batch.bytes() < kBatchBytes) continue;
    RETURN_IF_ERROR(WriteRows(&batch));
    batch.Clear();
  }
  return batch.empty() ? OkStatus() : WriteRows(&batch);
}

Status StoredDocumentWriter::AddChunks(std::span<const ChunkRecord> chunks,
                                       std::span<const float> vectors) {
  RETURN_IF_ERROR(CheckOpen());
  RETURN_IF_ERROR(CheckVectors(chunks, vectors, collection_->spec()));
  for (size_t begin = 0; begin < chunks.size(); begin += kBatchChunks) {
    const size_t count = std::min(kBatchChunks, chunks.size() - begin);
    RETURN_IF_ERROR(AddBatch(chunks.subspan(begin, count),
                             vectors.data() + begin * collection_->spec().dimensions));
  }
  return OkStatus();
}

Status StoredDocumentWriter::AddBatch(std::span<const ChunkRecord> chunks, const float* vectors) {
  const CollectionSpec& spec = collection_->spec();
  ASSIGN_OR_RETURN(const ChunkId first, core_->chunk_ids().Take(chunks.size()));
  StoreBatch batch(&core_->store());
  MarkPending(&batch);
  keywords::RunBuilder run = collection_->keywords().NewRun();
  BatchRecord record;
  record.count = static_cast<uint32_t>(chunks.size());
  uint64_t words = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    ChunkRecord chunk = chunks[i];
    chunk.id = first + i;
    chunk.document = owner_.document;
    const std::string key = ChunkKey(collection_->id(), chunk.id);
    batch.Put(Family::kChunk, key, EncodeChunk(chunk, owner_.version));
    batch.Put(Family::kVector, key,
              EncodeVector(owner_, vectors + i * spec.dimensions, spec.dimensions));
    batch.Put(Family::kEmbedding,
              EmbeddingKey(EmbeddingPrefix(spec.fingerprint, chunk.embedded), collection_->id(),
                           chunk.id),
              EncodeOwner(owner_));
    record.hashes.push_back(chunk.embedded);
    const std::array<std::string_view, 2> texts = {chunk.heading, chunk.text};
    ASSIGN_OR_RETURN(const uint32_t length, run.Add(chunk.id, texts));
    words += length;
  }
  collection_->keywords().Put(run, &batch);
  batch.Put(Family::kBatch, BatchKey(key_, first), EncodeBatch(record));
  RETURN_IF_ERROR(WriteRows(&batch));
  collection_->keywords().Added(run);
  words_ += words;
  chunks_ += record.count;
  if (!ranges_.empty() && ranges_.back().first + ranges_.back().count == first) {
    ranges_.back().count += record.count;
  } else {
    ranges_.push_back({first, record.count});
  }
  return OkStatus();
}

DocumentRecord StoredDocumentWriter::MakeRecord(const DocumentInfo& info,
                                                const std::optional<DocumentRecord>& old) const {
  DocumentRecord record;
  record.version = owner_.version;
  record.words = words_;
  record.chunks = ranges_;
  record.info = info;
  record.info.id = owner_.document;
  record.info.collection = collection_->id();
  record.info.chunks = chunks_;
  const int64_t now = core_->clock().NowNs();
  record.info.created_ns = old.has_value() ? old->info.created_ns : now;
  record.info.updated_ns = now;
  record.info.accessed_ns = now;
  return record;
}

Status StoredDocumentWriter::PublishRecord(const DocumentInfo& info, const Batch& also,
                                           DocumentRecord* record) {
  // Held over the write, so that what is read here still holds when it is written.
  MutexLock commit(&collection_->commit_mutex());
  Publisher publisher(core_, collection_.get());
  RETURN_IF_ERROR(publisher.Begin());
  ASSIGN_OR_RETURN(const std::optional<DocumentRecord> old, publisher.Read(owner_.document));
  *record = MakeRecord(info, old);
  if (old.has_value()) publisher.Retire(*old);
  // The source is the replacement key: at most one document has it.
  ASSIGN_OR_RETURN(const std::optional<std::string> holder,
                   core_->store().Get(Family::kSource, SourceKey(collection_->id(), info.source)));
  if (holder.has_value()) {
    ASSIGN_OR_RETURN(const DocumentId other, DecodeNumber(*holder));
    if (other != owner_.document) {
      ASSIGN_OR_RETURN(const std::optional<DocumentRecord> replaced, publisher.Read(other));
      if (replaced.has_value()) publisher.Retire(*replaced);
    }
  }
  auto state = std::make_shared<VersionState>(owner_.document, owner_.version, kNever);
  state->chunks = ranges_;
  RETURN_IF_ERROR(collection_->StageVectors(core_->store(), *state));
  publisher.Add(*record, state);
  publisher.batch()->Add(also);
  const Status status = publisher.Publish();
  if (!status.ok()) collection_->UnstageVectors(*state);
  return status;
}

Result<DocumentInfo> StoredDocumentWriter::Commit(const DocumentInfo& info, Batch also) {
  RETURN_IF_ERROR(CheckOpen());
  if (info.source.empty() || info.source.size() > kSourceBytesMax) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "the document's source has " + std::to_string(info.source.size()) +
                               " bytes; it must have 1 to " + std::to_string(kSourceBytesMax));
  }
  DocumentRecord record;
  RETURN_IF_ERROR(PublishRecord(info, also, &record));
  committed_ = true;
  collection_->keywords().Published();
  background_.cleaner->Wake();
  background_.maintainer->Wake();
  return record.info;
}

}  // namespace ragstone::index

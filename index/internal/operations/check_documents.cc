// The documents of a collection: versions, batches, chunks, vectors, pages, sources, counts.
#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "index/internal/core.h"
#include "index/internal/operations/check.h"

namespace ragstone::index::operations {
namespace {

class DocumentCheck {
 public:
  DocumentCheck(CheckEnv* env, const CollectionInfo& collection)
      : env_(env), collection_(collection), prefix_(CollectionKey(collection.id)) {}

  Status Run() {
    RETURN_IF_ERROR(ReadDocuments());
    RETURN_IF_ERROR(ReadPending());
    RETURN_IF_ERROR(ReadBatches());
    RETURN_IF_ERROR(ReadChunks());
    RETURN_IF_ERROR(ReadVectors());
    RETURN_IF_ERROR(ReadPages());
    RETURN_IF_ERROR(ReadSources());
    CheckComplete();
    RETURN_IF_ERROR(CheckCounts());
    return CheckWords();
  }

 private:
  // A version that rows may belong to.
  struct Version {
    DocumentId document = 0;
    bool published = false;  // it is the document's now; else its rows are to be removed
    uint64_t ranges = 0;     // chunks by its record
    uint64_t batches = 0, chunks = 0, vectors = 0, pages = 0;  // found
    uint32_t pages_expected = 0;
    std::vector<ChunkRange> chunk_ranges;
  };
  using Place = std::string;

  Status ReadDocuments();
  void AddDocument(DocumentId id, const DocumentRecord& record);
  Status ReadPending();
  Status ReadBatches();
  Status ReadChunks();
  Status CheckChunk(std::string_view key, std::string_view value);
  Status CheckEmbedding(const ChunkRecord& chunk, ChunkId id, const RowOwner& owner);
  Status ReadVectors();
  Status ReadPages();
  Status ReadSources();
  void CheckComplete();
  Status CheckCounts();
  Status CheckWords();

  // Null if the row belongs to nothing, which is then a finding.
  Result<Version*> Owner(Family family, std::string_view key, const RowOwner& owner);
  void Damaged(Family family, const Place& id);
  Status Orphan(Family family, std::string_view key, const Place& id);
  Finding Make(const Place& id, std::string what, std::string consequence) const {
    return {"documents", collection_.spec.name, id, std::move(what), std::move(consequence), false,
            false};
  }

  CheckEnv* const env_;
  const CollectionInfo& collection_;
  const std::string prefix_;
  std::unordered_map<VersionId, Version> versions_;
  std::map<DocumentId, std::string> sources_;  // of published documents
  std::set<uint64_t> runs_;                    // first chunks of batches
  CollectionStats counted_;
};

std::string DocumentText(DocumentId id) { return "doc-" + std::to_string(id); }
std::string ChunkText(ChunkId id) { return "chunk-" + std::to_string(id); }

void DocumentCheck::Damaged(Family family, const Place& id) {
  env_->findings->Add(
      Make(id, "its record in family " + std::string(FamilyName(family)) + " is damaged",
           "it cannot be read; restore a backup, or delete the document and add "
           "it again"));
}

Status DocumentCheck::Orphan(Family family, std::string_view key, const Place& id) {
  return env_->findings->Add(
      Make(id, "a row of family " + std::string(FamilyName(family)) + " belongs to no document",
           "it takes up room"),
      [&](StoreBatch* batch) { batch->Delete(family, key); });
}

Result<DocumentCheck::Version*> DocumentCheck::Owner(Family family, std::string_view key,
                                                     const RowOwner& owner) {
  const auto found = versions_.find(owner.version);
  if (found != versions_.end() && found->second.document == owner.document) return &found->second;
  RETURN_IF_ERROR(Orphan(family, key, DocumentText(owner.document)));
  return static_cast<Version*>(nullptr);
}

Status DocumentCheck::ReadDocuments() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kDocument);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(env_->steps->Advance(it->value().size()));
    ASSIGN_OR_RETURN(const DocumentId id, DecodeKeySuffix(it->key()));
    Raise(id, &env_->highest.document);
    const Result<DocumentRecord> record = DecodeDocument(it->value());
    if (record.ok() && record->valid_to == kNever) {
      AddDocument(id, *record);
    } else {
      Damaged(Family::kDocument, DocumentText(id));
    }
  }
  return it->status();
}

void DocumentCheck::AddDocument(DocumentId id, const DocumentRecord& record) {
  Version version;
  version.document = id;
  version.published = true;
  version.pages_expected = record.info.pages;
  version.chunk_ranges = record.chunks;
  for (const ChunkRange& range : record.chunks) {
    version.ranges += range.count;
    Raise(range.first + range.count - 1, &env_->highest.chunk);
  }
  if (version.ranges != record.info.chunks) {
    env_->findings->Add(Make(DocumentText(id),
                             "its record counts " + std::to_string(record.info.chunks) +
                                 " chunks and names " + std::to_string(version.ranges),
                             "its chunks may be incomplete; delete it and add it again"));
  }
  Raise(record.version, &env_->highest.version);
  Raise(record.valid_from, &env_->highest.sequence);
  if (!versions_.emplace(record.version, version).second) {
    env_->findings->Add(Make(DocumentText(id), "another document has the same version",
                             "it cannot be told from it; restore a backup"));
  }
  sources_[id] = record.info.source;
  ++counted_.documents;
  counted_.chunks += record.info.chunks;
  counted_.words += record.words;
  ++env_->report->documents;
}

Status DocumentCheck::ReadPending() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kPending);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    ASSIGN_OR_RETURN(const VersionKeyParts parts, DecodeVersionKey(it->key()));
    Raise(parts.document, &env_->highest.document);
    Raise(parts.version, &env_->highest.version);
    const Result<PendingRecord> record = DecodePending(it->value());
    if (!record.ok()) {
      Damaged(Family::kPending, DocumentText(parts.document));
    } else if (record->published) {
      Raise(record->valid_to, &env_->highest.sequence);
    }
    Version version;
    version.document = parts.document;
    if (versions_.emplace(parts.version, version).second) continue;
    RETURN_IF_ERROR(env_->findings->Add(
        Make(DocumentText(parts.document), "its published version is noted for removal",
             "the document would lose its rows"),
        [&](StoreBatch* batch) { batch->Delete(Family::kPending, it->key()); }));
  }
  return it->status();
}

Status DocumentCheck::ReadBatches() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kBatch);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(env_->steps->Advance(it->value().size()));
    ASSIGN_OR_RETURN(const VersionKeyParts parts, DecodeVersionKey(it->key()));
    ASSIGN_OR_RETURN(const ChunkId first, DecodeKeySuffix(it->key()));
    ASSIGN_OR_RETURN(Version* const version,
                     Owner(Family::kBatch, it->key(), {parts.document, parts.version}));
    if (version == nullptr) continue;
    const Result<BatchRecord> record = DecodeBatch(it->value());
    if (!record.ok()) {
      Damaged(Family::kBatch, DocumentText(parts.document));
      continue;
    }
    version->batches += record->count;
    runs_.insert(first);
    Raise(first + record->count - 1, &env_->highest.chunk);
  }
  return it->status();
}

Status DocumentCheck::ReadChunks() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kChunk);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(env_->steps->Advance(it->value().size()));
    RETURN_IF_ERROR(CheckChunk(it->key(), it->value()));
  }
  return it->status();
}

Status DocumentCheck::CheckChunk(std::string_view key, std::string_view value) {
  ASSIGN_OR_RETURN(const ChunkKeyParts parts, DecodeChunkKey(key));
  Raise(parts.chunk, &env_->highest.chunk);
  const Result<std::pair<ChunkRecord, VersionId>> chunk = DecodeChunk(value);
  if (!chunk.ok()) {
    Damaged(Family::kChunk, ChunkText(parts.chunk));
    return OkStatus();
  }
  const RowOwner owner{chunk->first.document, chunk->second};
  ASSIGN_OR_RETURN(Version* const version, Owner(Family::kChunk, key, owner));
  if (version == nullptr) return OkStatus();
  if (!version->published) return OkStatus();
  const bool named = std::any_of(
      version->chunk_ranges.begin(), version->chunk_ranges.end(), [&](const ChunkRange& range) {
        return parts.chunk >= range.first && parts.chunk - range.first < range.count;
      });
  if (!named) return Orphan(Family::kChunk, key, ChunkText(parts.chunk));
  ++version->chunks;
  ++env_->report->chunks;
  return CheckEmbedding(chunk->first, parts.chunk, owner);
}

Status DocumentCheck::CheckEmbedding(const ChunkRecord& chunk, ChunkId id, const RowOwner& owner) {
  const std::string key = EmbeddingKey(
      EmbeddingPrefix(collection_.spec.fingerprint, chunk.embedded), collection_.id, id);
  ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                   env_->store->Get(Family::kEmbedding, key));
  if (stored == EncodeOwner(owner)) return OkStatus();
  return env_->findings->Add(
      Make(ChunkText(id), "its vector is not found by its text",
           "an equal text is embedded again instead of taken from it"),
      [&](StoreBatch* batch) { batch->Put(Family::kEmbedding, key, EncodeOwner(owner)); });
}

Status DocumentCheck::ReadVectors() {
  std::vector<float> values(collection_.spec.dimensions);
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kVector);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(env_->steps->Advance(it->value().size()));
    ASSIGN_OR_RETURN(const ChunkKeyParts parts, DecodeChunkKey(it->key()));
    const Result<RowOwner> owner = DecodeVector(it->value(), values.size(), values.data());
    if (!owner.ok() || !std::all_of(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); })) {
      Damaged(Family::kVector, ChunkText(parts.chunk));
      continue;
    }
    ASSIGN_OR_RETURN(Version* const version, Owner(Family::kVector, it->key(), *owner));
    if (version != nullptr) ++version->vectors;
  }
  return it->status();
}

Status DocumentCheck::ReadPages() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kPage);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(env_->steps->Advance(it->value().size()));
    ASSIGN_OR_RETURN(const VersionKeyParts parts, DecodeVersionKey(it->key()));
    ASSIGN_OR_RETURN(Version* const version,
                     Owner(Family::kPage, it->key(), {parts.document, parts.version}));
    if (version == nullptr) continue;
    if (DecodePage(it->value()).ok()) {
      ++version->pages;
    } else {
      Damaged(Family::kPage, DocumentText(parts.document));
    }
  }
  return it->status();
}

Status DocumentCheck::ReadSources() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kSource);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    const std::string_view source = it->key().substr(prefix_.size());
    const Result<uint64_t> id = DecodeNumber(it->value());
    const auto found = id.ok() ? sources_.find(*id) : sources_.end();
    if (found != sources_.end() && found->second == source) continue;
    RETURN_IF_ERROR(env_->findings->Add(
        Make(id.ok() ? DocumentText(*id) : "", "a source is noted that is not the document's",
             "adding that source again would replace another document"),
        [&](StoreBatch* batch) { batch->Delete(Family::kSource, it->key()); }));
  }
  RETURN_IF_ERROR(it->status());
  for (const auto& [id, source] : sources_) {
    const std::string key = SourceKey(collection_.id, source);
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     env_->store->Get(Family::kSource, key));
    const std::string number = EncodeNumber(id);
    if (stored == number) continue;
    RETURN_IF_ERROR(
        env_->findings->Add(Make(DocumentText(id), "its source is not noted",
                                 "adding the source again would make a second document of it"),
                            [&](StoreBatch* batch) { batch->Put(Family::kSource, key, number); }));
  }
  return OkStatus();
}

void DocumentCheck::CheckComplete() {
  for (const auto& [number, version] : versions_) {
    if (!version.published) continue;
    const auto compare = [&](const char* rows, uint64_t found, uint64_t expected) {
      if (found == expected) return;
      env_->findings->Add(
          Make(DocumentText(version.document),
               "it has " + std::to_string(found) + " of " + std::to_string(expected) + " " + rows,
               "searches and citations miss parts of it; restore a backup, or "
               "delete it and add it again"));
    };
    compare("chunks", version.chunks, version.ranges);
    compare("vectors", version.vectors, version.ranges);
    compare("chunks in notes of batches", version.batches, version.ranges);
    compare("pages", version.pages, version.pages_expected);
  }
}

Status DocumentCheck::CheckCounts() {
  const std::string key = MetaStatsKey(collection_.id);
  ASSIGN_OR_RETURN(const std::optional<std::string> stored, env_->store->Get(Family::kMeta, key));
  const std::string expected = EncodeStats(counted_);
  if (stored == expected) return OkStatus();
  return env_->findings->Add(
      Make("", "its counts are not those of its documents", "what is shown of it is wrong"),
      [&](StoreBatch* batch) { batch->Put(Family::kMeta, key, expected); });
}

Status DocumentCheck::CheckWords() {
  ASSIGN_OR_RETURN(const keywords::Language language,
                   keywords::Language::Parse(collection_.spec.language));
  KeywordsOf index;
  index.name = {collection_.id, 0};
  index.language = language;
  index.collection = collection_.spec.name;
  index.runs = &runs_;
  index.rows = [&](const KeywordsOf::Visit& visit) -> Status {
    const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kChunk);
    for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
      const Result<std::pair<ChunkRecord, VersionId>> chunk = DecodeChunk(it->value());
      if (!chunk.ok()) continue;
      const auto version = versions_.find(chunk->second);
      if (version == versions_.end() || !version->second.published) continue;
      ASSIGN_OR_RETURN(const ChunkId id, DecodeKeySuffix(it->key()));
      const std::array<std::string_view, 2> texts = {chunk->first.heading, chunk->first.text};
      RETURN_IF_ERROR(visit(id, texts));
    }
    return it->status();
  };
  return CheckKeywords(env_, index);
}

}  // namespace

Status CheckDocuments(CheckEnv* env, const CollectionInfo& collection) {
  return DocumentCheck(env, collection).Run();
}

Status CheckEmbeddings(CheckEnv* env, const Catalog& catalog) {
  constexpr size_t kTail = 4 + 8;  // collection and chunk
  const std::unique_ptr<StoreIterator> it = env->store->NewIterator(Family::kEmbedding);
  for (it->Seek(""); it->Valid(); it->Next()) {
    RETURN_IF_ERROR(env->steps->Advance(it->key().size()));
    bool good = it->key().size() > kTail;
    if (good) {
      const std::string_view chunk_key = it->key().substr(it->key().size() - kTail);
      ASSIGN_OR_RETURN(const ChunkKeyParts parts, DecodeChunkKey(chunk_key));
      if (catalog.dropped.count(parts.collection) + catalog.unreadable.count(parts.collection) >
          0) {
        continue;
      }
      ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                       env->store->Get(Family::kChunk, chunk_key));
      good = false;
      if (stored.has_value()) {
        const Result<std::pair<ChunkRecord, VersionId>> chunk = DecodeChunk(*stored);
        if (!chunk.ok()) continue;  // a finding of its own
        good = it->value() == EncodeOwner({chunk->first.document, chunk->second});
      }
    }
    if (good) continue;
    RETURN_IF_ERROR(env->findings->Add(
        {"embeddings", "", "", "the note of an embedded text names a chunk that is not there",
         "it takes up room", false, false},
        [&](StoreBatch* batch) { batch->Delete(Family::kEmbedding, it->key()); }));
  }
  return it->status();
}

}  // namespace ragstone::index::operations

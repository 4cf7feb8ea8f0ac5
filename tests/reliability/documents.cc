#include "tests/reliability/documents.h"

#include <algorithm>
#include <cmath>

namespace ragstone::index::reliability {
namespace {

std::string WordOf(const std::string& source, uint64_t mark) {
  return source + "m" + std::to_string(mark) + "x";
}

std::string TextOf(const std::string& source, uint64_t mark, uint32_t chunk) {
  return "chunk " + std::to_string(chunk) + " of " + WordOf(source, mark);
}

}  // namespace

std::vector<float> ChunkVector(const std::string& source, uint64_t mark, uint32_t chunk) {
  Random random(Mixed(FastHash(source), mark, chunk));
  std::vector<float> vector = NormalVector(&random, kDocumentDimensions);
  double norm = 0;
  for (const float value : vector) norm += double{value} * double{value};
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(norm));
  return vector;
}

Result<CollectionId> DocumentCollection(Database* database, const std::string& name) {
  Result<CollectionInfo> info = database->GetCollection(name);
  if (info.status().reason() == Reason::kCollectionNotFound) {
    CollectionSpec spec;
    spec.name = name;
    spec.embedding_model = "none";
    spec.fingerprint = "reliability";
    spec.dimensions = kDocumentDimensions;
    info = database->CreateCollection(spec, Batch());
  }
  RETURN_IF_ERROR(info.status());
  return info->id;
}

Status PutDocument(Database* database, CollectionId collection, const std::string& source,
                   uint64_t mark) {
  ASSIGN_OR_RETURN(const std::optional<DocumentInfo> known,
                   database->FindBySource(collection, source));
  DocumentId id = known.has_value() ? known->id : 0;
  if (id == 0) {
    ASSIGN_OR_RETURN(id, database->NewDocumentId());
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<DocumentWriter> writer,
                   database->BeginDocument(collection, id));
  PageRecord page;
  page.number = 1;
  std::vector<ChunkRecord> chunks;
  std::vector<float> vectors;
  for (uint32_t i = 0; i < kDocumentChunks; ++i) {
    ChunkRecord chunk;
    chunk.ordinal = i;
    chunk.text = TextOf(source, mark, i);
    chunk.begin = page.text.size();
    chunk.end = chunk.begin + chunk.text.size();
    chunk.embedded = Sha256Of(chunk.text);
    page.text += chunk.text + "\n";
    chunks.push_back(std::move(chunk));
    const std::vector<float> vector = ChunkVector(source, mark, i);
    vectors.insert(vectors.end(), vector.begin(), vector.end());
  }
  RETURN_IF_ERROR(writer->AddPages({&page, 1}));
  RETURN_IF_ERROR(writer->AddChunks(chunks, vectors));
  DocumentInfo info;
  info.source = source;
  info.media_type = "text/plain";
  info.pages = 1;
  return writer->Commit(info, Batch()).status();
}

Status CheckDocument(const Database& database, CollectionId collection, const std::string& source,
                     uint64_t mark) {
  ASSIGN_OR_RETURN(const std::optional<DocumentInfo> info,
                   database.FindBySource(collection, source));
  if (!info.has_value()) return Violation("document " + source + " is lost");
  ASSIGN_OR_RETURN(const std::vector<ChunkRecord> chunks,
                   database.GetChunkRange(collection, info->id, 0, UINT32_MAX));
  if (chunks.size() != kDocumentChunks || info->chunks != kDocumentChunks) {
    return Violation("document " + source + " has " + std::to_string(chunks.size()) + " chunks");
  }
  for (uint32_t i = 0; i < kDocumentChunks; ++i) {
    if (chunks[i].text == TextOf(source, mark, i)) continue;
    return Violation("chunk " + std::to_string(i) + " of " + source + " is not what was written");
  }
  const std::string word = WordOf(source, mark);
  SearchRequest search;
  search.mode = SearchMode::kKeyword;
  search.text = word;
  search.top_k = 1000;
  ASSIGN_OR_RETURN(std::vector<SearchHit> hits, database.Search(collection, search, CallContext()));
  if (hits.size() != kDocumentChunks) {
    return Violation(std::to_string(hits.size()) + " chunks of " + source +
                     " are found by their word");
  }
  const std::vector<float> vector = ChunkVector(source, mark, 7);
  search = {};
  search.mode = SearchMode::kVector;
  search.vector = vector;
  search.top_k = 1;
  ASSIGN_OR_RETURN(hits, database.Search(collection, search, CallContext()));
  if (hits.size() == 1 && hits[0].chunk == chunks[7].id) return OkStatus();
  return Violation("a chunk of " + source + " is not found by its vector");
}

}  // namespace ragstone::index::reliability

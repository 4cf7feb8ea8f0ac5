#include <chrono>
#include <cstdlib>

#include "base/elapsed.h"
#include "services/handlers/app_impl.h"
#include "services/handlers/convert.h"

namespace ragstone::services {

namespace {

constexpr uint32_t kTopKMax = 1000;
constexpr size_t kQueryBytesMax = 32 << 10;

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

Status CheckQuery(std::string_view text, uint32_t top_k) {
  if (IsBlank(text)) {
    return InvalidArgument(Reason::kEmptyQuery, "the question is empty; ask something");
  }
  if (text.size() > kQueryBytesMax) {
    return InvalidArgument(Reason::kQueryTooLong,
                           "the question has " + std::to_string(text.size()) +
                               " bytes, the limit is 32768; ask a shorter question");
  }
  if (top_k > kTopKMax) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "top_k is " + std::to_string(top_k) + ", the limit is 1000");
  }
  return OkStatus();
}

// Facts about models, kept between runs, by their fingerprints.
constexpr std::string_view kUnrelatedCosine = "unrelated-cosine/";

}  // namespace

Result<double> AppImpl::UnrelatedCosine(const EmbeddingModel& model, const CallContext& context) {
  const std::string key = std::string(kUnrelatedCosine) + model.fingerprint();
  ASSIGN_OR_RETURN(const auto stored, database_->Get(index::Table::kSettings, key));
  if (stored) return std::strtod(stored->c_str(), nullptr);
  ASSIGN_OR_RETURN(const double measured, model.MeasureUnrelatedCosine(context));
  // What is stored is what counts, so that the first search ranks as all later ones do.
  const std::string text = std::to_string(measured);
  index::Batch batch;
  batch.Put(index::Table::kSettings, key, text);
  RETURN_IF_ERROR(database_->Write(std::move(batch)));
  return std::strtod(text.c_str(), nullptr);
}

Result<AppImpl::Retrieval> AppImpl::Retrieve(const Query& query, const CallContext& context) {
  RETURN_IF_ERROR(CheckQuery(query.text, query.top_k));
  Retrieval found;
  ASSIGN_OR_RETURN(found.collection, database_->GetCollection(CollectionName(query.collection)));
  index::SearchRequest request;
  ASSIGN_OR_RETURN(request.mode, FromMessage(query.mode, found.collection.settings.default_mode));
  request.text = query.text;
  request.top_k = query.top_k;
  request.documents = query.documents;
  if (query.filter != nullptr) {
    ASSIGN_OR_RETURN(request.filter, DocumentFilter(*query.filter));
  }

  auto begin = std::chrono::steady_clock::now();
  std::vector<float> vector;
  if (request.mode != index::SearchMode::kKeyword) {
    ASSIGN_OR_RETURN(found.model, models_->ForCollection(found.collection.spec));
    ASSIGN_OR_RETURN(vector, found.model->EmbedQuery(query.text, context));
    request.vector = vector;
    if (request.mode == index::SearchMode::kHybrid && !found.collection.settings.unrelated_cosine) {
      ASSIGN_OR_RETURN(request.unrelated_cosine, UnrelatedCosine(*found.model, context));
    }
    found.timings_ms["embed"] = MsSince(begin);
  }
  begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const auto hits, database_->Search(found.collection.id, request, context));
  std::vector<index::ChunkId> ids;
  for (const index::SearchHit& hit : hits) ids.push_back(hit.chunk);
  ASSIGN_OR_RETURN(found.chunks, database_->GetChunks(found.collection.id, ids));
  // A document may have been replaced between the two calls: its hits are left out.
  auto chunk = found.chunks.begin();
  for (const index::SearchHit& hit : hits) {
    if (chunk == found.chunks.end() || chunk->id != hit.chunk) continue;
    found.hits.push_back(hit);
    ++chunk;
  }
  found.timings_ms["search"] = MsSince(begin);
  return found;
}

Result<std::vector<v1::Passage>> AppImpl::Passages(const Retrieval& retrieval) const {
  std::vector<v1::Passage> passages;
  std::map<index::DocumentId, std::string> sources;
  for (size_t i = 0; i < retrieval.hits.size(); ++i) {
    const index::SearchHit& hit = retrieval.hits[i];
    const index::ChunkRecord& chunk = retrieval.chunks[i];
    if (!sources.contains(hit.document)) {
      const auto info = database_->GetDocument(retrieval.collection.id, hit.document);
      sources[hit.document] = info.ok() ? ValidUtf8(info->source) : std::string();
    }
    v1::Passage passage;
    passage.set_document_id(DocumentIdText(hit.document));
    passage.set_path(sources[hit.document]);
    passage.set_page(chunk.page_first);
    passage.set_page_end(chunk.page_last);
    if (chunk.line_first == 0) {
      const auto page = database_->GetPage(retrieval.collection.id, hit.document, chunk.page_first);
      if (page.ok()) passage.set_page_label(ValidUtf8(page->label));
    }
    passage.set_line(chunk.line_first);
    passage.set_chunk(chunk.id);
    passage.set_heading(chunk.heading);
    passage.set_text(chunk.text);
    passage.set_score(hit.score);
    passage.set_vector_score(hit.vector_score);
    passage.set_keyword_score(hit.keyword_score);
    passages.push_back(std::move(passage));
  }
  return passages;
}

Result<v1::SearchResponse> AppImpl::Search(const v1::SearchRequest& request,
                                           const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ++counters_.search;
  Query query;
  query.collection = request.collection();
  query.text = request.query();
  query.top_k = request.top_k() == 0 ? 10 : request.top_k();
  query.mode = request.mode();
  if (request.has_filter()) query.filter = &request.filter();
  ASSIGN_OR_RETURN(const Retrieval found, Retrieve(query, context));
  ASSIGN_OR_RETURN(auto passages, Passages(found));
  v1::SearchResponse response;
  for (v1::Passage& passage : passages) *response.add_passages() = std::move(passage);
  for (const auto& [step, ms] : found.timings_ms) {
    (*response.mutable_timings()->mutable_ms())[step] = ms;
  }
  (*response.mutable_timings()->mutable_ms())["total"] = MsSince(begin);
  return response;
}

}  // namespace ragstone::services

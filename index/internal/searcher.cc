#include "index/internal/searcher.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <optional>
#include <thread>

#include "index/internal/document_filter.h"
#include "index/internal/fusion.h"
#include "index/internal/keyword.h"

namespace ragstone::index {
namespace {

constexpr uint32_t kTopMax = 10'000;
// How often a waiting search looks whether it was cancelled.
constexpr auto kWaitStep = std::chrono::milliseconds(20);

Status CheckRequest(const SearchRequest& request, const CollectionSpec& spec) {
  if (request.top_k > kTopMax) {
    return InvalidArgument(Reason::kLimitExceeded, "top_k is " + std::to_string(request.top_k) +
                                                       "; at most " + std::to_string(kTopMax) +
                                                       " hits are returned: ask for fewer");
  }
  if (request.mode == SearchMode::kKeyword) return OkStatus();
  if (request.vector.size() != spec.dimensions) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "vector has " + std::to_string(request.vector.size()) +
                               " values, collection " + spec.name + " expects " +
                               std::to_string(spec.dimensions) +
                               "; embed the query with its model, " + spec.embedding_model);
  }
  for (size_t i = 0; i < request.vector.size(); ++i) {
    if (std::isfinite(request.vector[i])) continue;
    return InvalidArgument(Reason::kInvalidArgument,
                           "the query's vector holds NaN or infinity at place " +
                               std::to_string(i) + "; all values must be finite");
  }
  return OkStatus();
}

Status DeletedMeanwhile(const Collection& collection) {
  return NotFound(Reason::kCollectionNotFound,
                  "the collection \"" + collection.spec().name + "\" was deleted meanwhile");
}

// One search over one pinned state of one collection.
class Query {
 public:
  Query(const Store& store, const Collection& collection, const SearchRequest& request,
        const CallContext& context)
      : store_(store), collection_(collection), request_(request), context_(context) {}

  // As VectorQuery's.
  void OnDue(const std::function<void()>* on_due) { on_due_ = on_due; }
  // Pins what the search sees. NOT_FOUND if the collection was dropped meanwhile.
  Status Begin() {
    pin_.emplace(collection_.PinNow());
    return collection_.dropped() ? DeletedMeanwhile(collection_) : Restrict();
  }

  // Whether the vectors of what it sees are in memory.
  bool has_vectors() const { return pin_->vectors() != nullptr; }

  Result<std::vector<SearchHit>> Run() {
    switch (request_.mode) {
      case SearchMode::kVector:
        return RunVector();
      case SearchMode::kKeyword:
        return RunKeyword();
      case SearchMode::kHybrid:
        return RunHybrid();
    }
    return InvalidArgument(Reason::kInvalidArgument, "unknown search mode");
  }

 private:
  // Finds the chunks that documents and filter leave.
  Status Restrict() {
    std::vector<keywords::RowRange> rows;
    if (request_.documents.has_value()) {
      std::vector<DocumentId> documents = *request_.documents;
      std::sort(documents.begin(), documents.end());
      documents.erase(std::unique(documents.begin(), documents.end()), documents.end());
      rows = collection_.RowsOf(documents, pin_->sequence());
    }
    if (request_.filter.has_value()) {
      ASSIGN_OR_RETURN(
          std::vector<keywords::RowRange> matches,
          SelectChunks(store_, collection_, {&*request_.filter, pin_->sequence()}, context_));
      rows =
          request_.documents.has_value() ? keywords::Intersect(rows, matches) : std::move(matches);
    }
    if (request_.documents.has_value() || request_.filter.has_value()) {
      allowed_.emplace(std::move(rows));
    }
    return OkStatus();
  }

  const std::vector<keywords::RowRange>* allowed() const {
    return allowed_.has_value() ? &*allowed_ : nullptr;
  }

  Result<std::vector<SearchHit>> RunVector() const {
    ASSIGN_OR_RETURN(const std::vector<ScoredChunk> top, TopVectors(request_.top_k));
    std::vector<SearchHit> hits;
    for (const ScoredChunk& chunk : top) {
      hits.push_back({chunk.chunk, chunk.document, chunk.score, chunk.score, 0});
    }
    return hits;
  }

  Result<std::vector<SearchHit>> RunKeyword() const {
    KeywordRequest keywords = Keywords(request_.top_k);
    ASSIGN_OR_RETURN(const KeywordResult found,
                     SearchKeywords(store_, collection_, keywords, context_));
    std::vector<SearchHit> hits;
    for (const ScoredChunk& chunk : found.top) {
      hits.push_back({chunk.chunk, chunk.document, chunk.score, 0, chunk.score});
    }
    return hits;
  }

  Result<std::vector<SearchHit>> RunHybrid() const {
    const size_t depth = FusionDepth(request_.top_k);
    ASSIGN_OR_RETURN(const std::vector<ScoredChunk> vectors, TopVectors(depth));
    KeywordRequest keywords = Keywords(depth);
    for (const ScoredChunk& chunk : vectors) keywords.wanted.push_back(chunk.chunk);
    std::sort(keywords.wanted.begin(), keywords.wanted.end());
    ASSIGN_OR_RETURN(const KeywordResult found,
                     SearchKeywords(store_, collection_, keywords, context_));
    std::vector<SearchHit> hits;
    for (const ScoredChunk& chunk : vectors) {
      const auto keyword = found.wanted.find(chunk.chunk);
      hits.push_back({chunk.chunk, chunk.document, 0, chunk.score,
                      keyword == found.wanted.end() ? 0 : keyword->second});
    }
    RETURN_IF_ERROR(AddKeywordHits(keywords.wanted, found.top, &hits));
    FusionOptions options;
    options.unrelated_cosine =
        collection_.settings().unrelated_cosine.value_or(request_.unrelated_cosine);
    FuseScores(&hits, options);
    SortHits(request_.top_k, &hits);
    return hits;
  }

  KeywordRequest Keywords(size_t limit) const {
    KeywordRequest keywords;
    keywords.text = request_.text;
    keywords.sequence = pin_->sequence();
    keywords.allowed = allowed();
    keywords.limit = limit;
    return keywords;
  }

  // Those that the vectors did not give.
  Status AddKeywordHits(const std::vector<ChunkId>& given, const std::vector<ScoredChunk>& found,
                        std::vector<SearchHit>* hits) const {
    std::vector<vectors::RowId> chunks;
    for (const ScoredChunk& chunk : found) {
      if (std::binary_search(given.begin(), given.end(), chunk.chunk)) continue;
      chunks.push_back(chunk.chunk);
      hits->push_back({chunk.chunk, chunk.document, 0, 0, chunk.score});
    }
    if (chunks.empty()) return OkStatus();
    ASSIGN_OR_RETURN(vectors::ExactDistances exact, Exact(chunks.size()));
    std::vector<float> distances(chunks.size());
    RETURN_IF_ERROR(exact.Measure(Reader(), chunks, distances.data()));
    SearchHit* const first = hits->data() + (hits->size() - chunks.size());
    for (size_t i = 0; i < chunks.size(); ++i) {
      first[i].vector_score = -static_cast<double>(distances[i]);
    }
    return OkStatus();
  }

  Result<std::vector<ScoredChunk>> TopVectors(size_t limit) const {
    std::vector<vectors::Hit> hits;
    if (pin_->vectors() != nullptr) {
      fields::RowSet rows;
      records::VectorQuery query;
      query.vector = request_.vector.data();
      query.k = limit;
      query.version = pin_->sequence();
      query.on_due = on_due_;
      if (allowed_.has_value()) {
        for (const keywords::RowRange& range : *allowed_) rows.AddRange(range.first, range.count);
        query.allowed = &rows;
      }
      ASSIGN_OR_RETURN(hits, records::SearchVectors(*pin_->vectors(), query, context_));
    } else {
      RETURN_IF_ERROR(ScanStored(limit, &hits));
    }
    std::vector<ScoredChunk> top;
    for (const vectors::Hit& hit : hits) {
      const double score = -static_cast<double>(hit.distance);
      top.push_back({hit.row, collection_.DocumentOf(hit.row), score});
    }
    return top;
  }

  // A few documents of a collection that is not in memory are read from disk.
  Status ScanStored(size_t limit, std::vector<vectors::Hit>* hits) const {
    ASSIGN_OR_RETURN(vectors::ExactDistances exact, Exact(vectors::ExactDistances::kRowsAtOnce));
    std::vector<vectors::Hit> block;
    const auto measure = [&] {
      RETURN_IF_ERROR(context_.Check());
      RETURN_IF_ERROR(exact.Measure(Reader(), block));
      hits->insert(hits->end(), block.begin(), block.end());
      vectors::KeepNearest(limit, hits);
      block.clear();
      return OkStatus();
    };
    for (const keywords::RowRange& range : *allowed_) {
      for (uint64_t i = 0; i < range.count; ++i) {
        block.push_back({range.first + i, 0, 0});
        if (block.size() == vectors::ExactDistances::kRowsAtOnce) RETURN_IF_ERROR(measure());
      }
    }
    return measure();
  }

  ChunkVectorReader Reader() const {
    return ChunkVectorReader(store_, collection_.id(), collection_.spec().dimensions);
  }
  Result<vectors::ExactDistances> Exact(size_t rows_max) const {
    return vectors::ExactDistances::Make(
        records::SpecOf(ChunkVectorField(collection_.spec().dimensions)), request_.vector.data(),
        rows_max);
  }

  const Store& store_;
  const Collection& collection_;
  const SearchRequest& request_;
  const CallContext& context_;
  const std::function<void()>* on_due_ = nullptr;
  std::optional<Collection::Pin> pin_;
  std::optional<std::vector<keywords::RowRange>> allowed_;  // if the search is restricted
};

}  // namespace

// One of the places of running searches.
class Searcher::Slot {
 public:
  static Result<std::unique_ptr<Slot>> Take(Searcher* searcher, const CallContext& context) {
    MutexLock lock(&searcher->mutex_);
    while (searcher->used_ >= searcher->slots_) {
      RETURN_IF_ERROR(context.Check());
      searcher->free_.WaitUntil(&searcher->mutex_, std::chrono::steady_clock::now() + kWaitStep);
    }
    ++searcher->used_;
    return std::make_unique<Slot>(searcher);
  }
  explicit Slot(Searcher* searcher) : searcher_(searcher) {}
  ~Slot() {
    MutexLock lock(&searcher_->mutex_);
    --searcher_->used_;
    searcher_->free_.NotifyOne();
  }

 private:
  Searcher* const searcher_;
};

Searcher::Searcher(Core* core, Maintainer* maintainer)
    : core_(core),
      maintainer_(maintainer),
      slots_(core->options().search_threads > 0
                 ? core->options().search_threads
                 : std::max(1u, std::thread::hardware_concurrency())) {}

Result<std::vector<SearchHit>> Searcher::Search(CollectionId id, const SearchRequest& request,
                                                const CallContext& context) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> collection, core_->Find(id));
  Result<std::vector<SearchHit>> hits = SearchIn(collection.get(), request, context);
  // What it reads may be gone then, which is no damage.
  if (!hits.ok() && collection->dropped()) return DeletedMeanwhile(*collection);
  return hits;
}

Result<std::vector<SearchHit>> Searcher::SearchIn(Collection* collection,
                                                  const SearchRequest& request,
                                                  const CallContext& context) {
  RETURN_IF_ERROR(CheckRequest(request, collection->spec()));
  RETURN_IF_ERROR(context.Check());
  if (request.top_k == 0) return std::vector<SearchHit>();
  ASSIGN_OR_RETURN(const std::unique_ptr<Slot> slot, Slot::Take(this, context));
  if (request.filter.has_value()) RETURN_IF_ERROR(collection->EnsureFields(core_->store()));
  RETURN_IF_ERROR(collection->EnsureVersions(core_->store()));
  const bool in_memory = request.mode != SearchMode::kKeyword && !request.documents.has_value();
  for (;;) {
    if (in_memory && collection->vectors() == nullptr) {
      RETURN_IF_ERROR(collection->EnsureVectors(*core_));
      maintainer_->Wake();
    }
    Query query(core_->store(), *collection, request, context);
    const std::function<void()> on_due = [this] { maintainer_->Wake(); };
    query.OnDue(&on_due);
    RETURN_IF_ERROR(query.Begin());
    // They may be unloaded just now.
    if (!in_memory || query.has_vectors()) return query.Run();
  }
}

Result<std::vector<std::pair<std::string, double>>> Searcher::TermWeights(CollectionId id,
                                                                          std::string_view text) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Collection> collection, core_->Find(id));
  RETURN_IF_ERROR(collection->EnsureVersions(core_->store()));
  const Collection::Pin pin = collection->PinNow();
  return WeighTerms(core_->store(), *collection, text, pin.sequence());
}

}  // namespace ragstone::index

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/clock.h"
#include "base/status.h"
#include "index/filter/filter.h"
#include "index/types.h"

namespace ragstone::index {

// Small typed tables that callers own the meaning of. Keys are ordered bytewise.
enum class Table : uint8_t {
  kJobs,        // services: jobs by id
  kJobQueue,    // services: ids of jobs that have not ended
  kQuarantine,  // services: inputs that ended a worker twice, by content hash
  kRequests,    // services: outcomes of writes by request id
  kBlobs,       // reference counts of blobs
  kSettings,    // services: facts kept between runs
};

// Puts and deletes of any tables, written together or not at all. Not thread-safe.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  void Put(Table table, std::string_view key, std::string_view value);
  void Delete(Table table, std::string_view key);
  bool empty() const;

 private:
  friend class Database;
  friend class DocumentWriter;
  friend struct BatchAccess;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct DatabaseOptions {
  std::filesystem::path dir;             // created if missing
  uint64_t memory_bytes = 256ull << 20;  // RocksDB's block cache and write buffers together
  uint32_t hnsw_vectors_min = 20'000;    // so many new vectors are sealed, with a graph if > 10,000
  uint32_t search_threads = 0;           // 0: cores
  // What the indexes of record collections may take in memory together; 0: as much as there is.
  uint64_t record_memory_bytes = 0;
  // What would leave less room than this on the disk is refused; at most a twentieth of the disk.
  uint64_t disk_reserve_bytes = 0;
  // Is given what the storage engine warns of, a line each, by any thread; may be empty.
  std::function<void(std::string_view line)> on_storage_warning;
};

struct SearchRequest {
  SearchMode mode = SearchMode::kHybrid;
  std::string_view text;          // for keywords; may be empty in vector mode
  std::span<const float> vector;  // normalised; may be empty in keyword mode
  uint32_t top_k = 10;
  // Restricts the search to these documents when set; then every chunk of them is a candidate and
  // min(top_k, matches) hits come back.
  std::optional<std::vector<DocumentId>> documents;
  // Restricts the search to chunks for which this holds, in the same way. Its fields are those of
  // docs/FILTERS.md, its ids DocumentIds.
  std::optional<Filter> filter;
  // As CollectionSettings', which goes first; in hybrid mode.
  double unrelated_cosine = 0;
};

struct SearchHit {
  ChunkId chunk = 0;
  DocumentId document = 0;
  double score = 0;          // of the mode; larger is better
  double vector_score = 0;   // cosine, if vectors were used for this hit's score
  double keyword_score = 0;  // BM25
};

// A document version being written. Rows go to disk in bounded batches under an unpublished
// version; Commit publishes them and retires the old version with one fsynced record. Destroying
// the writer before Commit removes the rows. Not thread-safe; any number of writers may exist, and
// all must end before the database does.
class DocumentWriter {
 public:
  virtual ~DocumentWriter() = default;
  virtual Status AddPages(std::span<const PageRecord> pages) = 0;
  // `vectors` holds chunks.size() × dimensions floats, normalised. Ids are given here, ascending.
  virtual Status AddChunks(std::span<const ChunkRecord> chunks, std::span<const float> vectors) = 0;
  // Publishes, together with `also`. When it returns OK, the document is durable and every later
  // search sees it. `info`: source, content, bytes, media_type, title, pages, metadata, warnings
  // are taken from the caller. ABORTED if the collection was deleted meanwhile.
  virtual Result<DocumentInfo> Commit(const DocumentInfo& info, Batch also) = 0;
};

// Ragstone's vector database: collections of documents in one RocksDB, with vector and keyword
// search. RocksDB is the truth; what is in memory is derived. Thread-safe. Errors of the disk come
// back as RESOURCE_EXHAUSTED/DISK_FULL, INTERNAL/IO_ERROR or DATA_LOSS/DATA_CORRUPT.
class Database {
 public:
  // Opens or creates; sweeps rows of versions that were never published. FAILED_PRECONDITION
  // (DATA_DIR_VERSION) for another format, UNAVAILABLE (DATA_DIR_LOCKED) if it is in use.
  static Result<std::unique_ptr<Database>> Open(const DatabaseOptions& options, const Clock* clock);
  virtual ~Database() = default;

  // --- collections
  // ALREADY_EXISTS (COLLECTION_EXISTS); INVALID_ARGUMENT (COLLECTION_NAME_INVALID), also for an
  // unknown language or bad settings.
  virtual Result<CollectionInfo> CreateCollection(const CollectionSpec& spec, Batch also) = 0;
  // NOT_FOUND (COLLECTION_NOT_FOUND), INVALID_ARGUMENT.
  virtual Result<CollectionInfo> AlterCollection(std::string_view name,
                                                 const CollectionSettings& settings,
                                                 Batch also) = 0;
  // NOT_FOUND (COLLECTION_NOT_FOUND).
  virtual Result<CollectionInfo> GetCollection(std::string_view name) const = 0;
  // Collections with names after `after`, by name, at most `limit`.
  virtual Result<std::vector<CollectionInfo>> ListCollections(std::string_view after,
                                                              size_t limit) const = 0;
  // Deletes all documents of it; returns how many.
  virtual Result<uint64_t> DeleteCollection(std::string_view name, Batch also) = 0;

  // --- documents; NOT_FOUND (DOCUMENT_NOT_FOUND)
  virtual Result<DocumentInfo> GetDocument(CollectionId collection, DocumentId id) const = 0;
  virtual Result<std::optional<DocumentInfo>> FindBySource(CollectionId collection,
                                                           std::string_view source) const = 0;
  // Documents with ids after `after`, by id, at most `limit`.
  virtual Result<std::vector<DocumentInfo>> ListDocuments(CollectionId collection, DocumentId after,
                                                          size_t limit) const = 0;
  // The same of documents for which a filter holds, for a condition on pages: for one of its pages.
  // INVALID_ARGUMENT (FILTER_INVALID).
  virtual Result<std::vector<DocumentInfo>> FilterDocuments(CollectionId collection,
                                                            const Filter& filter, DocumentId after,
                                                            size_t limit,
                                                            const CallContext& context) const = 0;
  virtual Result<PageRecord> GetPage(CollectionId collection, DocumentId id,
                                     uint32_t page) const = 0;
  virtual Result<DocumentInfo> UpdateMetadata(CollectionId collection, DocumentId id,
                                              const Metadata& metadata, Batch also) = 0;
  virtual Status TouchDocument(CollectionId collection, DocumentId id) = 0;  // sets accessed_ns
  virtual Status DeleteDocument(CollectionId collection, DocumentId id, Batch also) = 0;
  // Reserves an id for a document that will be written; durable with the caller's batch.
  virtual Result<DocumentId> NewDocumentId() = 0;
  // Begins a version of document `id` (new or existing).
  virtual Result<std::unique_ptr<DocumentWriter>> BeginDocument(CollectionId collection,
                                                                DocumentId id) = 0;

  // --- chunks
  // Returns the chunks with these ids, in order; ones that were deleted meanwhile are left out.
  virtual Result<std::vector<ChunkRecord>> GetChunks(CollectionId collection,
                                                     std::span<const ChunkId> ids) const = 0;
  // Returns chunks of a document by ordinal [first, last], in order.
  virtual Result<std::vector<ChunkRecord>> GetChunkRange(CollectionId collection, DocumentId id,
                                                         uint32_t first, uint32_t last) const = 0;
  // Returns the stored vector of any published chunk that was embedded from the same text by the
  // same model, in any collection: so nothing is embedded twice. One entry for each hash.
  virtual Result<std::vector<std::optional<std::vector<float>>>> FindEmbeddings(
      std::string_view fingerprint, std::span<const Sha256Digest> hashes) const = 0;

  // --- search: at most top_k hits, best first, ties by chunk id.
  // INVALID_ARGUMENT if the vector's length is not the collection's or holds NaN or infinity;
  // (FILTER_INVALID) for a filter that does not fit the fields there are.
  virtual Result<std::vector<SearchHit>> Search(CollectionId collection,
                                                const SearchRequest& request,
                                                const CallContext& context) const = 0;
  // Inverse document frequency of the words of `text`, as BM25 sees them in this collection:
  // pairs of (term, idf), in order of appearance, stop words included with their low idf.
  virtual Result<std::vector<std::pair<std::string, double>>> TermWeights(
      CollectionId collection, std::string_view text) const = 0;

  // --- small tables
  virtual Result<std::optional<std::string>> Get(Table table, std::string_view key) const = 0;
  // Calls `visit(key, value)` for keys in [begin, end) (end empty: to the end), ascending or
  // descending, until it returns false.
  virtual Status Scan(
      Table table, std::string_view begin, std::string_view end, bool descending,
      const std::function<bool(std::string_view, std::string_view)>& visit) const = 0;
  // Writes the batch; durable (fsynced) when it returns.
  virtual Status Write(Batch batch) = 0;

  // Bytes of memory held by segments and postings, and further counters for GetStatus, by name.
  virtual std::vector<std::pair<std::string, uint64_t>> Counters() const = 0;
};

}  // namespace ragstone::index

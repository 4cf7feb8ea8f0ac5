#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/call_context.h"
#include "base/clock.h"
#include "base/status.h"
#include "index/database.h"
#include "index/filter/filter.h"
#include "index/filter/payload.h"
#include "index/limits.h"
#include "index/types.h"

namespace ragstone::index {

// How vectors are compared. Scores order results, the largest first, except for distances, where
// the smallest comes first.
enum class VectorMetric : uint8_t {
  kInnerProduct = 0,  // score: the inner product
  kCosine = 1,        // score: the cosine, -1 to 1
  kL2 = 2,            // distance: the Euclidean distance, squared
  kHamming = 3,       // distance: the number of bits that differ
};

// How vectors are kept in memory for searching; on disk they are as they were given. Results of
// kInt8 and kBinary are ranked by the vectors as given.
enum class VectorStorage : uint8_t { kFloat32 = 0, kFloat16 = 1, kInt8 = 2, kBinary = 3 };

// How vectors are searched.
enum class VectorMethod : uint8_t {
  kAuto = 0,   // exactly in small collections, by an HNSW graph in large ones
  kExact = 1,  // always all of them
  kHnsw = 2,
  kIvfPq = 3,  // compressed lists, for sets beyond memory
  kLsh = 4,
};

// A named vector of a record collection.
struct VectorField {
  std::string name;         // 1 to 64 of [A-Za-z0-9_.-]; "" for a collection's only vector
  uint32_t dimensions = 0;  // 1 to kDimensionsMax; bits for kHamming
  VectorMetric metric = VectorMetric::kCosine;
  VectorStorage storage = VectorStorage::kInt8;
  VectorMethod method = VectorMethod::kAuto;
  float target_recall = 0.98f;  // of ten nearest, 0.5 to 1
  bool operator==(const VectorField&) const = default;
};

// A named sparse vector: pairs of (dimension, weight), compared by inner product, exactly.
struct SparseField {
  std::string name;  // as VectorField's; differs from the names of vectors
  bool operator==(const SparseField&) const = default;
};

// A record collection. All of it may be changed by AlterCollection, except dimensions and metrics
// of vectors that are there.
struct RecordCollectionSpec {
  std::string name;  // as that of a document collection, and different from all of those
  std::vector<VectorField> vectors;
  std::vector<SparseField> sparse;
  Schema schema;                 // of payloads; fields of type text are searched by words
  std::string language = "en";   // of texts: ISO 639-1, or "none" for no stemming
  uint64_t history_seconds = 0;  // how long superseded and deleted records can be read by as_of
};

struct RecordCollectionInfo {
  CollectionId id = 0;
  RecordCollectionSpec spec;
  int64_t created_ns = 0;
  uint64_t records = 0;
  uint64_t memory_bytes = 0;  // of indexes; 0 while none is loaded
  // For each vector how it is searched, why, and the measured recall, for people.
  std::vector<std::string> index;
};

using DenseVector = std::vector<float>;
using BitVector = std::vector<uint8_t>;  // bit i in byte i / 8, the least significant first
struct SparseVector {
  std::vector<uint32_t> dimensions;  // ascending
  std::vector<float> weights;        // finite, not zero
  bool operator==(const SparseVector&) const = default;
};
using Vector = std::variant<DenseVector, BitVector, SparseVector>;

// What a client stores: vectors and a payload under an id. A record need not have all vectors.
struct Record {
  std::string id;  // 1 to 256 bytes of UTF-8
  std::map<std::string, Vector, std::less<>> vectors;
  Payload payload;
  uint64_t version = 0;  // set by the database: the sequence number of the write
};

struct WriteOptions {
  // 1 to 128 bytes chosen by the client, or empty. A write that repeats the id of one that was done
  // in the last 24 hours does nothing and returns what that one returned; another write under the
  // same id is refused (ALREADY_EXISTS, REQUEST_ID_REUSED). Each collection keeps the last
  // kRequestIdsKept ids: a client that writes more with ids within a day loses the oldest, whose
  // writes are then done again.
  std::string request_id;
  // For each record that is named, or empty (always with a filter): the version that it must have
  // now, 0 for none. If one does not, nothing is written: ABORTED (VERSION_MISMATCH) names the
  // record and both versions.
  std::vector<uint64_t> if_versions;
};

struct WriteResult {
  uint64_t version = 0;   // of every record that was written
  uint64_t affected = 0;  // records written or deleted
};

// Which records a write or read is about: ids, or all that a filter matches.
using RecordSelector = std::variant<std::vector<std::string>, Filter>;

struct PayloadChange {
  bool replace = false;  // else fields that are not named stay as they are
  Payload set;           // null removes the field
};

struct ReadOptions {
  bool payload = true;
  bool vectors = false;
  // Reads what was visible at this version (WriteResult::version), 0 for now.
  // FAILED_PRECONDITION (HISTORY_GONE) if the collection's history does not reach back so far.
  uint64_t as_of = 0;
  // Scroll ends with the record by which the page has more RecordBytes than this.
  size_t page_bytes = 48 << 20;
};

struct RecordSearch {
  std::string vector_name;          // of `vector`
  std::optional<Vector> vector;     // nearest to this,
  std::string text;                 // or BM25 on the fields of type text, or both, fused
  std::vector<std::string> fields;  // of `text`; empty: all of type text
  Filter filter;                    // And of nothing: every record
  size_t top_k = 10;                // 1 to 10,000
  // Only hits with this score or better, in the vector's metric.
  std::optional<double> score_limit;
  std::string group_by;   // a keyword, integer or boolean field: top_k groups,
  size_t group_size = 1;  // of at most so many hits each (1 to 100), by their best
  bool exact = false;     // scan, whatever the method
  uint32_t ef = 0;        // of a graph's walk; 0: by target_recall
  ReadOptions read;
};

// What lies between examples: the mean of the positive records' vectors, or twice that less the
// mean of the negative ones', under cosine as if all had the same length. The examples themselves
// are not returned.
struct RecommendSearch {
  std::vector<std::string> positive;  // at least one
  std::vector<std::string> negative;
  RecordSearch search;  // without vector and text
};

struct RecordHit {
  Record record;      // vectors and payload as asked for
  double score = 0;   // a score or a distance, by the metric; of fusion 0 to 1
  std::string group;  // the value of group_by, as filters write it
};

// About what a record takes in memory and at most what it takes in a message.
size_t RecordBytes(const Record& record);

// Collections of records that clients address by id, beside the documents of the same Database and
// in the same RocksDB. Thread-safe.
//
// What a write was acknowledged for is on disk (fsynced) and in every search that begins later; a
// search sees all of a write or nothing of it. Writes of one collection that come at the same time
// share one fsync. A change of what a filter matches, which is found once at its beginning, is done
// in pieces, each of which is such a write: of at most 10,000 records and, of updated ones, about
// 16 MiB; no other write comes between. After an error, which says how many records were changed,
// or a crash, the pieces before are done: repeat the call, with its request id. A filtered search
// returns min(top_k, matches) records. Each call, a batch of searches too, reads one state of the
// collection.
//
// Errors: NOT_FOUND (COLLECTION_NOT_FOUND); INVALID_ARGUMENT naming the record and field for
// vectors of a wrong length, values that are no numbers, a zero vector under cosine, an id twice in
// one write, unknown fields and wrong types; (FILTER_INVALID) for filters that do not fit the
// fields; (LIMIT_EXCEEDED) beyond the limits said here and in payload.h; RESOURCE_EXHAUSTED
// (DISK_FULL, MEMORY_LIMIT) before anything is written, (LIMIT_EXCEEDED) if what Get, a search or a
// batch returns would have more than kReadBytesMax; ABORTED (COLLECTION_NOT_FOUND) if the
// collection was dropped meanwhile.
class RecordDatabase {
 public:
  static constexpr size_t kWriteRecordsMax = 10'000;
  static constexpr size_t kTopKMax = 10'000;
  static constexpr size_t kIdBytesMax = 256;
  static constexpr size_t kWriteBytesMax = 64 << 20;  // of one write's vectors and payloads
  static constexpr size_t kReadBytesMax = 48 << 20;   // RecordBytes of what a call returns
  static constexpr size_t kVectorsMax = 16;           // of a collection, sparse ones too
  static constexpr size_t kSparsePairsMax = 65'536;
  static constexpr size_t kGroupSizeMax = 100;
  static constexpr size_t kExamplesMax = 1000;
  static constexpr size_t kRequestIdBytesMax = 128;
  static constexpr size_t kRequestIdsKept = 100'000;

  // `database` must outlive it.
  static Result<std::unique_ptr<RecordDatabase>> Open(Database* database, const Clock* clock);
  virtual ~RecordDatabase() = default;

  // --- collections
  // Together with `also`, which is written or not with the collection.
  virtual Result<RecordCollectionInfo> CreateCollection(const RecordCollectionSpec& spec,
                                                        Batch also) = 0;
  Result<RecordCollectionInfo> CreateCollection(const RecordCollectionSpec& spec) {
    return CreateCollection(spec, Batch());
  }
  // Adds and removes vectors and fields, and changes storage, method, recall, language, history.
  virtual Result<RecordCollectionInfo> AlterCollection(const RecordCollectionSpec& spec) = 0;
  virtual Status DropCollection(std::string_view name, Batch also) = 0;
  Status DropCollection(std::string_view name) { return DropCollection(name, Batch()); }
  virtual Result<RecordCollectionInfo> GetCollection(std::string_view name) const = 0;
  // Names after `after`, ordered, at most `limit`.
  virtual Result<std::vector<RecordCollectionInfo>> ListCollections(std::string_view after,
                                                                    size_t limit) const = 0;

  // --- writes
  // Writes whole records: one with the same id is replaced.
  virtual Result<WriteResult> Upsert(std::string_view collection, std::vector<Record> records,
                                     const WriteOptions& options, const CallContext& context) = 0;
  virtual Result<WriteResult> Delete(std::string_view collection, const RecordSelector& selector,
                                     const WriteOptions& options, const CallContext& context) = 0;
  virtual Result<WriteResult> UpdatePayload(std::string_view collection,
                                            const RecordSelector& selector,
                                            const PayloadChange& change,
                                            const WriteOptions& options,
                                            const CallContext& context) = 0;

  // --- reads
  // Records with these ids, in their order; ids that are not there are left out.
  virtual Result<std::vector<Record>> Get(std::string_view collection,
                                          std::span<const std::string> ids,
                                          const ReadOptions& options) const = 0;
  // Records that match, ordered by id, after the id `after`, at most `limit`, and fewer only where
  // there are no more or they have more than `options.page_bytes`.
  virtual Result<std::vector<Record>> Scroll(std::string_view collection, const Filter& filter,
                                             std::string_view after, size_t limit,
                                             const ReadOptions& options,
                                             const CallContext& context) const = 0;
  virtual Result<uint64_t> Count(std::string_view collection, const Filter& filter,
                                 const CallContext& context) const = 0;
  // Hits in order; with group_by the groups in order of their best hit, each one's hits together.
  virtual Result<std::vector<RecordHit>> Search(std::string_view collection,
                                                const RecordSearch& search,
                                                const CallContext& context) const = 0;
  // Several searches at once, on all search threads; results in their order.
  virtual Result<std::vector<std::vector<RecordHit>>> SearchBatch(
      std::string_view collection, std::span<const RecordSearch> searches,
      const CallContext& context) const = 0;
  virtual Result<std::vector<RecordHit>> Recommend(std::string_view collection,
                                                   const RecommendSearch& search,
                                                   const CallContext& context) const = 0;
};

}  // namespace ragstone::index

#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "index/internal/vectors/method.h"
#include "index/internal/vectors/segment.h"
#include "index/internal/vectors/segment_io.h"

namespace ragstone::index::vectors {

struct CompactOptions {
  Method method = Method::kIvfPq;  // or kLsh
  uint32_t lists = 0;              // of IVF; 0: by the number of rows
  uint32_t bits = 0;               // of LSH; 0: twice the dimensions
  size_t train_rows_max = 0;       // 0: by the number of lists
};

// Rows of which only short codes are in memory, by FAISS: IVF-PQ for sets that do not fit as they
// are, LSH for those who ask for it. Vectors for the last ranking come from SearchOptions::reader;
// without it distances are those of the codes: estimates. Does not change (but for set_ef, which is
// atomic); const methods are thread-safe.
class CompactIndex {
 public:
  // A search takes up to so many candidates.
  static constexpr size_t kEfMin = 100;
  static constexpr size_t kEfMax = 32'768;

  // INVALID_ARGUMENT for bit vectors, FAILED_PRECONDITION with too few rows to
  // learn from (39 for each of 256 codes), INTERNAL if FAISS fails.
  static Result<std::unique_ptr<CompactIndex>> Build(const VectorSpec& spec,
                                                     const RowSource& source,
                                                     const CompactOptions& options);
  // Reads what Write wrote. DATA_LOSS (DATA_CORRUPT) if a chunk is missing, damaged, of another
  // index or of an unknown version: the caller builds the index again.
  static Result<LoadedIndex<CompactIndex>> Read(const ChunkSource& source);
  virtual ~CompactIndex() = default;

  // Stores it as segments are; with_exact means nothing, there are only codes. Errors are the
  // sink's.
  virtual Status Write(const SegmentWriteOptions& options, ChunkSink* sink) const = 0;

  virtual const VectorSpec& spec() const = 0;
  virtual size_t rows() const = 0;
  virtual RowId row_id(Slot slot) const = 0;
  virtual Slot Find(RowId row) const = 0;  // kNoSlot if it is not here
  virtual uint64_t bytes() const = 0;
  // As Segment::Search: min(k, matches) rows. `ef` is the number of candidates (0: what calibration
  // found; kEfMax at most, or ten times k, but all rows are exact search); the lists that are
  // searched follow from it, and more are added until there are so many.
  virtual Status Search(VectorData query, const SearchOptions& options,
                        const Restriction* restriction, std::vector<Hit>* hits) const = 0;
  // By the vectors of all rows that pass, of which few are in memory at a time. Without a reader,
  // by all codes.
  virtual Status SearchExact(VectorData query, const SearchOptions& options,
                             const Restriction* restriction, std::vector<Hit>* hits) const = 0;

  // What searches without `ef` use. May be set while others search.
  size_t ef() const { return ef_.load(std::memory_order_relaxed); }
  void set_ef(size_t ef) { ef_.store(ef, std::memory_order_relaxed); }

 private:
  std::atomic<size_t> ef_{kEfMin};
};

}  // namespace ragstone::index::vectors

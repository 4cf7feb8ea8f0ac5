#pragma once

#include <memory>
#include <vector>

#include "index/internal/vectors/method.h"
#include "index/internal/vectors/segment.h"

namespace ragstone::index::vectors {

struct CompactOptions {
  Method method = Method::kIvfPq;  // or kLsh
  uint32_t lists = 0;              // of IVF; 0: by the number of rows
  uint32_t bits = 0;               // of LSH; 0: twice the dimensions
  size_t train_rows_max = 20'000;
};

// Rows of which only short codes are in memory, by FAISS: IVF-PQ for sets that do not fit as they
// are, LSH for those who ask for it. Vectors for the last ranking come from SearchOptions::reader;
// without it distances are those of the codes: estimates. Does not change; const methods are
// thread-safe.
class CompactIndex {
 public:
  // INVALID_ARGUMENT for bit vectors, FAILED_PRECONDITION with too few rows to learn from (39 for
  // each of 256 codes), INTERNAL if FAISS fails.
  static Result<std::unique_ptr<CompactIndex>> Build(const VectorSpec& spec,
                                                     const RowSource& source,
                                                     const CompactOptions& options);
  virtual ~CompactIndex() = default;

  virtual size_t rows() const = 0;
  virtual uint64_t bytes() const = 0;
  // As Segment::Search: min(k, matches) rows. `ef` is the number of candidates; lists are added
  // until there are so many.
  virtual Status Search(VectorData query, const SearchOptions& options,
                        const Restriction* restriction, std::vector<Hit>* hits) const = 0;
};

}  // namespace ragstone::index::vectors

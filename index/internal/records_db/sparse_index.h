#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "index/internal/fields/row_set.h"
#include "index/internal/records_db/record_keys.h"
#include "index/record_database.h"

namespace ragstone::index::records {

struct ScoredRow {
  RowId row = kNoRow;
  double score = 0;
};
// Best first, ties by row, at most `limit`.
void KeepBest(size_t limit, std::vector<ScoredRow>* rows);

// The sparse vectors of one name in memory: for each dimension the rows that have it. Rows are only
// added; which of them are seen is for the caller to say. Thread-safe.
class SparseIndex {
 public:
  void Add(RowId row, const SparseVector& vector);
  // The inner products of all rows that share a dimension with the query and that `seen` says true
  // of; exactly.
  std::vector<ScoredRow> Search(const SparseVector& query,
                                const std::function<bool(RowId)>& seen) const;
  uint64_t bytes() const;

  // Gives the lists of rows in `live` in pieces of about `bytes` each to `put`, until an error.
  Status Encode(const fields::RowSet& live, size_t bytes,
                const std::function<Status(std::string_view)>& put) const;
  // Adds a piece. False, with nothing sensible added, for other bytes.
  bool Decode(std::string_view piece);

 private:
  struct Entry {
    RowId row;
    float weight;
  };
  std::vector<uint32_t> Dimensions() const;

  mutable SharedMutex mutex_;
  std::unordered_map<uint32_t, std::vector<Entry>> lists_ GUARDED_BY(mutex_);
  uint64_t entries_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ragstone::index::records

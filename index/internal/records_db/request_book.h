#pragma once

#include <map>
#include <optional>
#include <string>

#include "index/internal/records_db/record_coding.h"
#include "index/internal/store.h"

namespace ragstone::index::records {

// Outcomes of writes by request id, kept for a day and at most kRequestsMax of a collection, so
// that no client fills the disk with them; beyond, the oldest go first, and a write that repeats
// one of those is done again. They go with later writes and when the collection is cleaned: of a
// collection that is not written any more those of its last day may stay. Works on one batch; under
// the commit lock.
class RequestBook {
 public:
  static constexpr uint64_t kRequestsMax = RecordDatabase::kRequestIdsKept;
  static constexpr int64_t kKeptNs = 24LL * 3600 * 1'000'000'000;

  RequestBook(const Store& store, CollectionId collection, int64_t now_ns)
      : store_(store), collection_(collection), now_ns_(now_ns) {}

  // The outcome of an earlier write with this id; nullopt if there was none in the last day.
  // ALREADY_EXISTS (REQUEST_ID_REUSED) if it was another write.
  Result<std::optional<WriteResult>> Find(const std::string& id, uint64_t fingerprint);
  void Add(const std::string& id, uint64_t fingerprint, const WriteResult& result);
  bool empty() const { return added_.empty(); }

  // Puts what was added into the batch, and takes old outcomes out. `count` is how many are kept.
  Status Write(StoreBatch* batch, uint64_t* count);
  // Takes out what is older than a day; at most `most`. Returns how many.
  Result<size_t> Sweep(size_t most, StoreBatch* batch, uint64_t* count);

 private:
  bool expired(int64_t time_ns) const { return now_ns_ - time_ns >= kKeptNs; }
  Result<size_t> Remove(size_t most, uint64_t keep, StoreBatch* batch, uint64_t* count);

  const Store& store_;
  const CollectionId collection_;
  const int64_t now_ns_;
  std::map<std::string, RequestOutcome> added_;
};

}  // namespace ragstone::index::records

#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "index/internal/records_db/record_coding.h"
#include "index/internal/store.h"

namespace ragstone::index::records {

// The scope of requests that are not about the records of one collection; no collection has it.
inline constexpr CollectionId kServiceRequests = 0;

// A row of Family::kRecordRequest to put, or without a value to delete.
struct RequestRow {
  std::string key;
  std::optional<std::string> value;
};
void AddRows(const std::vector<RequestRow>& rows, StoreBatch* batch);

// Outcomes of requests by their id, kept for a day and at most kRequestsMax of a scope, which is a
// collection or kServiceRequests, so that no client fills the disk with them; beyond, the oldest go
// first, and a request that repeats one of those is done again. They go with later requests and
// when the scope is swept: of a collection that is not written any more those of its last day may
// stay. Makes the rows of one batch; for one thread at a time in a scope.
class RequestBook {
 public:
  static constexpr uint64_t kRequestsMax = RecordDatabase::kRequestIdsKept;
  static constexpr int64_t kKeptNs = 24LL * 3600 * 1'000'000'000;

  // `begin`: where to look for old outcomes, if those before are known to be gone.
  RequestBook(const Store& store, CollectionId scope, int64_t now_ns, std::string begin = "")
      : store_(store), scope_(scope), now_ns_(now_ns), begin_(std::move(begin)) {}

  // The outcome of an earlier request with this id; nullopt if there was none in the last day.
  // ALREADY_EXISTS (REQUEST_ID_REUSED) if it was another request.
  Result<std::optional<std::string>> Find(const std::string& id, uint64_t fingerprint) const;
  void Add(const std::string& id, uint64_t fingerprint, std::string outcome);
  bool empty() const { return added_.empty(); }

  // Adds the rows of what was added, and of old outcomes that go. `count` is how many are kept.
  Status Write(std::vector<RequestRow>* rows, uint64_t* count);
  // Adds those of outcomes that are older than a day or, the oldest first, more than `keep`; of at
  // most `most`. Returns how many go.
  Result<size_t> Sweep(size_t most, uint64_t keep, std::vector<RequestRow>* rows, uint64_t* count);
  // All before it goes with the rows.
  const std::string& begin() const { return begin_; }

 private:
  bool expired(int64_t time_ns) const { return now_ns_ - time_ns >= kKeptNs; }

  const Store& store_;
  const CollectionId scope_;
  const int64_t now_ns_;
  std::string begin_;
  std::map<std::string, RequestOutcome> added_;
};

}  // namespace ragstone::index::records

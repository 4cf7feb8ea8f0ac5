#include "index/internal/records_db/request_book.h"

#include "index/filter/names.h"

namespace ragstone::index::records {
namespace {

// A write takes out a few more than it adds, so that a backlog shrinks.
constexpr size_t kRemovedBeside = 16;

}  // namespace

Result<std::optional<WriteResult>> RequestBook::Find(const std::string& id, uint64_t fingerprint) {
  std::optional<RequestOutcome> outcome;
  const auto added = added_.find(id);
  if (added != added_.end()) {
    outcome = added->second;
  } else {
    ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                     store_.Get(Family::kRecordRequest, RequestKey(collection_, id)));
    if (bytes.has_value()) {
      ASSIGN_OR_RETURN(outcome, DecodeRequest(*bytes));
    }
  }
  if (!outcome.has_value() || expired(outcome->time_ns)) return std::optional<WriteResult>();
  if (outcome->fingerprint == fingerprint) return std::optional<WriteResult>(outcome->result);
  return Status(StatusCode::kAlreadyExists, Reason::kRequestIdReused,
                "the request id " + Quoted(id) +
                    " was used for another write in the last 24 hours; give each write its own");
}

void RequestBook::Add(const std::string& id, uint64_t fingerprint, const WriteResult& result) {
  added_[id] = {fingerprint, now_ns_, result};
}

Status RequestBook::Write(StoreBatch* batch, uint64_t* count) {
  if (added_.empty()) return OkStatus();
  for (const auto& [id, outcome] : added_) {
    const std::string key = RequestKey(collection_, id);
    // An expired outcome of the same id, whose entry by time would otherwise stay.
    ASSIGN_OR_RETURN(const std::optional<std::string> before,
                     store_.Get(Family::kRecordRequest, key));
    if (before.has_value()) {
      ASSIGN_OR_RETURN(const RequestOutcome old, DecodeRequest(*before));
      batch->Delete(Family::kRecordRequest, RequestTimeKey(collection_, old.time_ns, id));
      --*count;
    }
    batch->Put(Family::kRecordRequest, key, EncodeRequest(outcome));
    batch->Put(Family::kRecordRequest, RequestTimeKey(collection_, outcome.time_ns, id), "\1");
    ++*count;
  }
  return Remove(added_.size() + kRemovedBeside, kRequestsMax, batch, count).status();
}

Result<size_t> RequestBook::Sweep(size_t most, StoreBatch* batch, uint64_t* count) {
  return Remove(most, UINT64_MAX, batch, count);
}

Result<size_t> RequestBook::Remove(size_t most, uint64_t keep, StoreBatch* batch, uint64_t* count) {
  size_t removed = 0;
  const std::string prefix = RequestTimePrefix(collection_);
  const std::unique_ptr<StoreIterator> it = store_.NewIterator(Family::kRecordRequest);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix) && removed < most; it->Next()) {
    ASSIGN_OR_RETURN(const RequestTimeParts parts, DecodeRequestTimeKey(it->key()));
    if (!expired(parts.time_ns) && *count <= keep) break;
    const std::string id(parts.request_id);
    if (added_.contains(id)) continue;  // the batch has replaced it already
    batch->Delete(Family::kRecordRequest, RequestKey(collection_, id));
    batch->Delete(Family::kRecordRequest, it->key());
    if (*count > 0) --*count;
    ++removed;
  }
  RETURN_IF_ERROR(it->status());
  return removed;
}

}  // namespace ragstone::index::records

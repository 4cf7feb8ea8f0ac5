#include "index/internal/records_db/request_book.h"

#include <algorithm>

#include "index/filter/names.h"

namespace ragstone::index::records {
namespace {

// A request takes out a few more than it adds, so that a backlog shrinks.
constexpr size_t kRemovedBeside = 16;

}  // namespace

void AddRows(const std::vector<RequestRow>& rows, StoreBatch* batch) {
  for (const RequestRow& row : rows) {
    if (row.value.has_value()) {
      batch->Put(Family::kRecordRequest, row.key, *row.value);
    } else {
      batch->Delete(Family::kRecordRequest, row.key);
    }
  }
}

Result<std::optional<std::string>> RequestBook::Find(const std::string& id,
                                                     uint64_t fingerprint) const {
  std::optional<RequestOutcome> outcome;
  const auto added = added_.find(id);
  if (added != added_.end()) {
    outcome = added->second;
  } else {
    ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                     store_.Get(Family::kRecordRequest, RequestKey(scope_, id)));
    if (bytes.has_value()) {
      ASSIGN_OR_RETURN(outcome, DecodeRequest(*bytes));
    }
  }
  if (!outcome.has_value() || expired(outcome->time_ns)) return std::optional<std::string>();
  if (outcome->fingerprint == fingerprint) return std::optional<std::string>(outcome->outcome);
  // What a service puts before the id ends with a zero.
  const std::string given = id.substr(id.rfind('\0') + 1);
  return Status(StatusCode::kAlreadyExists, Reason::kRequestIdReused,
                "the request id " + Quoted(given) +
                    " was used for another write in the last 24 hours; give each write its own");
}

void RequestBook::Add(const std::string& id, uint64_t fingerprint, std::string outcome) {
  added_[id] = {fingerprint, now_ns_, std::move(outcome)};
}

Status RequestBook::Write(std::vector<RequestRow>* rows, uint64_t* count) {
  if (added_.empty()) return OkStatus();
  for (const auto& [id, outcome] : added_) {
    const std::string key = RequestKey(scope_, id);
    // An expired outcome of the same id, whose entry by time would otherwise stay.
    ASSIGN_OR_RETURN(const std::optional<std::string> before,
                     store_.Get(Family::kRecordRequest, key));
    if (before.has_value()) {
      ASSIGN_OR_RETURN(const RequestOutcome old, DecodeRequest(*before));
      rows->push_back({RequestTimeKey(scope_, old.time_ns, id), std::nullopt});
      --*count;
    }
    rows->push_back({key, EncodeRequest(outcome)});
    rows->push_back({RequestTimeKey(scope_, outcome.time_ns, id), "\1"});
    ++*count;
  }
  return Sweep(added_.size() + kRemovedBeside, kRequestsMax, rows, count).status();
}

Result<size_t> RequestBook::Sweep(size_t most, uint64_t keep, std::vector<RequestRow>* rows,
                                  uint64_t* count) {
  size_t removed = 0;
  const std::string prefix = RequestTimePrefix(scope_);
  const std::unique_ptr<StoreIterator> it = store_.NewIterator(Family::kRecordRequest);
  for (it->Seek(std::max(prefix, begin_)); it->ValidWithPrefix(prefix) && removed < most;
       it->Next()) {
    begin_ = it->key();
    ASSIGN_OR_RETURN(const RequestTimeParts parts, DecodeRequestTimeKey(it->key()));
    if (!expired(parts.time_ns) && *count <= keep) break;
    const std::string id(parts.request_id);
    if (added_.contains(id)) continue;  // the rows have replaced it already
    rows->push_back({RequestKey(scope_, id), std::nullopt});
    rows->push_back({begin_, std::nullopt});
    begin_ += '\0';
    if (*count > 0) --*count;
    ++removed;
  }
  RETURN_IF_ERROR(it->status());
  return removed;
}

}  // namespace ragstone::index::records

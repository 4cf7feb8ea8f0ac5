// Outcomes of writes by request id.
#include "index/internal/coding.h"
#include "index/internal/operations/check.h"
#include "index/internal/records_db/request_book.h"

namespace ragstone::index::operations {
namespace {

struct Scope {
  CollectionId id = 0;
  const std::string& name;
};

Finding Make(const Scope& scope, std::string_view id, std::string what) {
  return {"requests",
          scope.name,
          std::string(id),
          std::move(what),
          "a repeated request may be done twice, or its outcome is kept too long",
          false,
          false};
}

// Entries by id, each of which has one by its time; returns how many there are.
Result<uint64_t> CheckById(CheckEnv* env, const Scope& scope) {
  uint64_t count = 0;
  const std::string prefix = records::RequestKey(scope.id, "");
  const std::unique_ptr<StoreIterator> it = env->store->NewIterator(Family::kRecordRequest);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    const std::string_view id = it->key().substr(prefix.size());
    const Result<records::RequestOutcome> outcome = records::DecodeRequest(it->value());
    const bool sound = outcome.ok() && (scope.id == records::kServiceRequests ||
                                        records::DecodeWriteResult(outcome->outcome).ok());
    if (!sound) {
      RETURN_IF_ERROR(env->findings->Add(
          Make(scope, id, "the outcome of a request is damaged"),
          [&](StoreBatch* batch) { batch->Delete(Family::kRecordRequest, it->key()); }));
      if (!env->findings->repairing()) ++count;
      continue;
    }
    ++count;
    if (scope.id != records::kServiceRequests) {
      Raise(records::DecodeWriteResult(outcome->outcome)->version, &env->highest.sequence);
    }
    const std::string by_time = records::RequestTimeKey(scope.id, outcome->time_ns, id);
    ASSIGN_OR_RETURN(const std::optional<std::string> entry,
                     env->store->Get(Family::kRecordRequest, by_time));
    if (entry.has_value()) continue;
    RETURN_IF_ERROR(env->findings->Add(
        Make(scope, id, "the outcome of a request is not found by its time"),
        [&](StoreBatch* batch) { batch->Put(Family::kRecordRequest, by_time, "\1"); }));
  }
  RETURN_IF_ERROR(it->status());
  return count;
}

}  // namespace

Result<uint64_t> CheckRequests(CheckEnv* env, CollectionId id, const std::string& name) {
  const Scope scope{id, name};
  ASSIGN_OR_RETURN(const uint64_t count, CheckById(env, scope));
  if (count > records::RequestBook::kRequestsMax) {
    env->findings->Add(Make(scope, "",
                            std::to_string(count) + " outcomes are kept, at most " +
                                std::to_string(records::RequestBook::kRequestsMax) +
                                " should be; the next writes take them out"));
  }
  const std::string prefix = records::RequestTimePrefix(scope.id);
  const std::unique_ptr<StoreIterator> it = env->store->NewIterator(Family::kRecordRequest);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    const Result<records::RequestTimeParts> parts = records::DecodeRequestTimeKey(it->key());
    bool good = false;
    if (parts.ok()) {
      ASSIGN_OR_RETURN(const std::optional<std::string> entry,
                       env->store->Get(Family::kRecordRequest,
                                       records::RequestKey(scope.id, parts->request_id)));
      const Result<records::RequestOutcome> outcome =
          records::DecodeRequest(entry.value_or(std::string()));
      good = outcome.ok() && outcome->time_ns == parts->time_ns;
    }
    if (good) continue;
    RETURN_IF_ERROR(env->findings->Add(
        Make(scope, parts.ok() ? parts->request_id : "",
             "a time is noted of a request that is not there"),
        [&](StoreBatch* batch) { batch->Delete(Family::kRecordRequest, it->key()); }));
  }
  RETURN_IF_ERROR(it->status());
  return count;
}

}  // namespace ragstone::index::operations

#include "services/handlers/request_log.h"

#include <algorithm>
#include <vector>

#include "base/hash.h"
#include "services/pipeline/job_record.h"

namespace ragstone::services {

namespace {

constexpr size_t kIdBytesMax = 256;
constexpr size_t kEntriesMax = 100'000;
constexpr int64_t kKeptNs = 24ll * 3600 * 1'000'000'000;
constexpr size_t kHeader = 8 + 32;  // time, hash of the request

std::string Key(std::string_view method, std::string_view id) {
  return std::string(method) + '\0' + std::string(id);
}

int64_t TimeOf(std::string_view value) {
  uint64_t time = 0;
  for (size_t i = 0; i < 8 && i < value.size(); ++i) {
    time = time << 8 | static_cast<uint8_t>(value[i]);
  }
  return static_cast<int64_t>(time);
}

}  // namespace

Result<std::optional<std::string>> RequestLog::Find(std::string_view method, std::string_view id,
                                                    std::string_view request) const {
  if (id.empty()) return std::optional<std::string>();
  if (id.size() > kIdBytesMax) {
    return InvalidArgument(Reason::kLimitExceeded, "request_id has " + std::to_string(id.size()) +
                                                       " bytes, the limit is 256");
  }
  ASSIGN_OR_RETURN(const auto value, database_->Get(index::Table::kRequests, Key(method, id)));
  if (!value || value->size() < kHeader || TimeOf(*value) + kKeptNs < clock_->NowNs()) {
    return std::optional<std::string>();
  }
  if (value->compare(8, 32, Sha256Of(request).View()) != 0) {
    return Status(
        StatusCode::kAlreadyExists, Reason::kRequestIdReused,
        "request_id '" + std::string(id) + "' was used for another request; use a new one");
  }
  return std::optional<std::string>(value->substr(kHeader));
}

void RequestLog::Record(const Entry& entry, index::Batch* batch) const {
  if (entry.id.empty()) return;
  std::string value = JobKey(static_cast<uint64_t>(clock_->NowNs()));  // 8 bytes, big-endian
  value += Sha256Of(entry.request).View();
  value += entry.response;
  batch->Put(index::Table::kRequests, Key(entry.method, entry.id), value);
}

Status RequestLog::Prune() {
  std::vector<std::pair<int64_t, std::string>> kept;
  index::Batch batch;
  const int64_t oldest = clock_->NowNs() - kKeptNs;
  RETURN_IF_ERROR(database_->Scan(index::Table::kRequests, "", "", false,
                                  [&](std::string_view key, std::string_view value) {
                                    const int64_t time = TimeOf(value);
                                    if (time < oldest) {
                                      batch.Delete(index::Table::kRequests, key);
                                    } else {
                                      kept.emplace_back(time, key);
                                    }
                                    return true;
                                  }));
  if (kept.size() > kEntriesMax) {
    std::sort(kept.begin(), kept.end());
    for (size_t i = 0; i + kEntriesMax < kept.size(); ++i) {
      batch.Delete(index::Table::kRequests, kept[i].second);
    }
  }
  if (batch.empty()) return OkStatus();
  return database_->Write(std::move(batch));
}

}  // namespace ragstone::services

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "index/database.h"

namespace ragstone::services {

// Outcomes of writes by the client's request id, kept for 24 hours, so that a repeated write does
// nothing twice. Thread-safe.
class RequestLog {
 public:
  // Both must outlive the log.
  RequestLog(index::Database* database, const Clock* clock) : database_(database), clock_(clock) {}

  // The serialised response of the first request with this id, or nothing. `request` is the
  // serialised request: another one under the same id is refused with ALREADY_EXISTS
  // (REQUEST_ID_REUSED). An id longer than 256 bytes is refused; an empty one is never found.
  Result<std::optional<std::string>> Find(std::string_view method, std::string_view id,
                                          std::string_view request) const;

  struct Entry {
    std::string_view method, id, request, response;
  };
  // Adds the outcome to the batch of the write itself; nothing for an empty id.
  void Record(const Entry& entry, index::Batch* batch) const;

  // Drops entries older than 24 hours and, beyond 100,000 entries, the oldest of all.
  Status Prune();

 private:
  index::Database* const database_;
  const Clock* const clock_;
};

}  // namespace ragstone::services

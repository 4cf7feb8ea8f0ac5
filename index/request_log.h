#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "index/database.h"

namespace ragstone::index {

// Outcomes of a service's writes by the client's request id, kept for 24 hours and at most 100,000
// of them, the newest, so that a repeated write does nothing twice. What writes records keeps its
// own, by collection: see WriteOptions. Thread-safe.
class RequestLog {
 public:
  static constexpr size_t kIdBytesMax = 256;

  // Removes what is too old. Both must outlive the log.
  static Result<std::unique_ptr<RequestLog>> Open(Database* database, const Clock* clock);
  virtual ~RequestLog() = default;

  // The outcome of the first request with this id, or nothing. `request` is the serialised
  // request: another one under the same id is refused with ALREADY_EXISTS (REQUEST_ID_REUSED). An
  // id longer than kIdBytesMax is refused; an empty one is never found.
  virtual Result<std::optional<std::string>> Find(std::string_view method, std::string_view id,
                                                  std::string_view request) const = 0;

  struct Entry {
    std::string_view method, id, request, response;
  };
  // Adds the outcome to the batch of the write itself; nothing for an empty id.
  virtual Status Record(const Entry& entry, Batch* batch) = 0;
};

}  // namespace ragstone::index

#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/call_context.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/record_database.h"
#include "index/request_log.h"
#include "services/api.h"

namespace ragstone::services {

// The handlers of VectorService. Thread-safe.
class RecordHandlers {
 public:
  // All must outlive it.
  struct Parts {
    index::RecordDatabase* records = nullptr;
    index::RequestLog* requests = nullptr;
  };
  explicit RecordHandlers(const Parts& parts) : parts_(parts) {}

#define RAGSTONE_DECLARE_RECORDS(service, method)                         \
  Result<v1::method##Response> method(const v1::method##Request& request, \
                                      const CallContext& context);
  RAGSTONE_VECTOR_UNARY_RPCS(RAGSTONE_DECLARE_RECORDS)
#undef RAGSTONE_DECLARE_RECORDS

  Status UpsertRecordStream(const Reader<v1::UpsertRecordStreamRequest>& read,
                            const Writer<v1::UpsertRecordStreamResponse>& write,
                            const CallContext& context);

  // Searches and writes since start.
  uint64_t searches() const { return searches_; }
  uint64_t writes() const { return writes_; }

 private:
  const Parts parts_;
  // Held over a creation or drop, so that of two requests with one id the second finds the outcome
  // of the first.
  Mutex collections_mutex_;
  std::atomic<uint64_t> searches_{0}, writes_{0};
};

}  // namespace ragstone::services

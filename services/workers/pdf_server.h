#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/call_context.h"
#include "base/mutex.h"
#include "ingest/document_parser.h"
#include "ragstone/worker/v1/parser.grpc.pb.h"
#include "services/workers/pdf_watchdog.h"

namespace ragstone::services {

struct PdfServerOptions {
  uint64_t file_bytes_max = 512ull << 20;
  uint32_t waiting_max = 8;  // requests that may wait for the one being served
};

// Serves ragstone.worker.v1.Parser: one document at a time, since poppler keeps global state; a few
// more requests wait. Errors carry the reason's name in the status' details.
class PdfServer final : public worker::v1::Parser::Service {
 public:
  // `parser` must outlive the server. `page_begins` is called by it, see OnPage.
  PdfServer(const PdfServerOptions& options, ingest::DocumentParser* parser);

  // To be called by the parser when a page begins: restarts the watchdog.
  void OnPage(uint32_t page);

  grpc::Status Parse(grpc::ServerContext* context,
                     grpc::ServerReaderWriter<worker::v1::ParseResponse, worker::v1::ParseRequest>*
                         stream) override;

 private:
  using Stream = grpc::ServerReaderWriter<worker::v1::ParseResponse, worker::v1::ParseRequest>;

  // Waits for the turn of this request and holds it while in scope.
  class Turn;

  Status Receive(Stream* stream, ingest::ParseLimits* limits, std::string* bytes);
  Status ParseDocument(grpc::ServerContext* context, Stream* stream);
  void PollCancelled();

  const PdfServerOptions options_;
  ingest::DocumentParser* parser_;
  Mutex mutex_;
  CondVar free_;
  bool busy_ GUARDED_BY(mutex_) = false;
  uint32_t waiting_ GUARDED_BY(mutex_) = 0;
  Mutex active_mutex_;
  grpc::ServerContext* active_ GUARDED_BY(active_mutex_) = nullptr;
  std::shared_ptr<CancelFlag> active_flag_ GUARDED_BY(active_mutex_);
  std::atomic<uint32_t> page_{0};
  std::atomic<uint32_t> page_time_ms_{0};
  PdfWatchdog watchdog_;  // last: its thread uses the members above
};

}  // namespace ragstone::services

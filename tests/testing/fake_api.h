#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "services/app.h"

namespace ragstone::testing {

// An App whose methods answer with empty messages, unless a test says otherwise. Thread-safe.
class FakeApp : public services::App {
 public:
  // Runs in every unary method; its error is the method's.
  std::function<Status(const CallContext&)> on_unary;
  std::function<Status(const services::Reader<v1::AddDocumentRequest>&,
                       const services::Writer<v1::AddDocumentResponse>&, const CallContext&)>
      on_add;
  std::function<Status(const services::Writer<v1::AskResponse>&, const CallContext&)> on_ask;
  std::function<Status(const services::Writer<v1::WatchJobResponse>&, const CallContext&)> on_watch;
  std::atomic<int> calls{0};
  std::atomic<bool> trusted{false};  // of the last call
  std::atomic<bool> shut_down{false};

#define RAGSTONE_FAKE_UNARY(service, method)                                                  \
  Result<v1::method##Response> method(const v1::method##Request&, const CallContext& context) \
      override {                                                                              \
    ++calls;                                                                                  \
    trusted = context.trusted_local();                                                        \
    if (on_unary) RETURN_IF_ERROR(on_unary(context));                                         \
    return v1::method##Response();                                                            \
  }
  RAGSTONE_UNARY_RPCS(RAGSTONE_FAKE_UNARY)
#undef RAGSTONE_FAKE_UNARY

  Status AddDocument(const services::Reader<v1::AddDocumentRequest>& read,
                     const services::Writer<v1::AddDocumentResponse>& write,
                     const CallContext& context) override {
    ++calls;
    return on_add ? on_add(read, write, context) : OkStatus();
  }
  Status Ask(const v1::AskRequest&, const services::Writer<v1::AskResponse>& write,
             const CallContext& context) override {
    ++calls;
    return on_ask ? on_ask(write, context) : OkStatus();
  }
  Status WatchJob(const v1::WatchJobRequest&, const services::Writer<v1::WatchJobResponse>& write,
                  const CallContext& context) override {
    ++calls;
    return on_watch ? on_watch(write, context) : OkStatus();
  }
  Status ImportModel(const v1::ImportModelRequest&,
                     const services::Writer<v1::ImportModelResponse>& write,
                     const CallContext&) override {
    ++calls;
    v1::ImportModelResponse response;
    response.set_progress("converting");
    return write(response);
  }

  Status UpsertRecordStream(const services::Reader<v1::UpsertRecordStreamRequest>& read,
                            const services::Writer<v1::UpsertRecordStreamResponse>& write,
                            const CallContext&) override {
    ++calls;
    ASSIGN_OR_RETURN(const auto batch, read());
    v1::UpsertRecordStreamResponse response;
    response.set_affected(batch ? static_cast<uint64_t>(batch->records_size()) : 0);
    return write(response);
  }

  Status Backup(const v1::BackupRequest&, const services::Writer<v1::BackupResponse>& write,
                const CallContext& context) override {
    ++calls;
    trusted = context.trusted_local();
    v1::BackupResponse response;
    response.mutable_finished()->set_id(1);
    return write(response);
  }
  Status Purge(const v1::PurgeRequest&, const services::Writer<v1::PurgeResponse>& write,
               const CallContext&) override {
    ++calls;
    v1::PurgeResponse response;
    response.mutable_finished();
    return write(response);
  }

  void Shutdown() override { shut_down = true; }
  bool Idle() const override { return true; }
};

}  // namespace ragstone::testing

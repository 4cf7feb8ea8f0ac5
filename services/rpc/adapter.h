#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/call_context.h"
#include "base/mutex.h"
#include "services/api.h"
#include "services/rpc/access.h"
#include "services/rpc/call_runner.h"
#include "services/rpc/status_convert.h"

namespace ragstone::services {

// What every call needs. Lives longer than the gRPC server.
struct RpcHost {
  Api* api = nullptr;
  const AccessCheck* access = nullptr;
  CallRunner* runner = nullptr;
};

// The beginning of a call: who calls, until when. UNAUTHENTICATED.
Result<CallContext> AdmitCall(const RpcHost& host, const grpc::CallbackServerContext& call,
                              std::shared_ptr<CancelFlag> flag);

// The end of a call: logs it and makes it a grpc::Status. A call that was cancelled because the
// server stops says so.
grpc::Status EndCall(const RpcHost& host, const grpc::CallbackServerContext& call,
                     const std::string& method, const Status& status);

// The status of a handler that threw.
Status ThrownStatus(const char* what);

// Runs a handler; nothing that it throws gets out.
template <typename Handler>
auto Guarded(const Handler& handler) -> decltype(handler()) {
  try {
    return handler();
  } catch (const std::exception& error) {
    return ThrownStatus(error.what());
  } catch (...) {
    return ThrownStatus("an unknown exception");
  }
}

// Waits for the end of one read or write of a stream.
class StreamStep {
 public:
  void Done(bool ok) {
    MutexLock lock(&mutex_);
    ok_ = ok;
    changed_.NotifyAll();
  }
  bool Wait() {
    MutexLock lock(&mutex_);
    while (!ok_) changed_.Wait(&mutex_);
    const bool ok = *ok_;
    ok_.reset();
    return ok;
  }
  // As Wait, but not for longer; says nothing of the outcome.
  void WaitFor(std::chrono::milliseconds at_most) {
    const auto until = std::chrono::steady_clock::now() + at_most;
    MutexLock lock(&mutex_);
    while (!ok_ && changed_.WaitUntil(&mutex_, until)) {
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<bool> ok_ GUARDED_BY(mutex_);
};

// What the three kinds of reactors share. gRPC's threads only enqueue; the handler runs on a thread
// of the CallRunner and its last act is Finish, after which the reactor may be gone.
template <typename Reactor>
class CallReactor : public Reactor {
 public:
  CallReactor(const RpcHost& host, grpc::CallbackServerContext* call, std::string method)
      : host_(host), call_(call), method_(std::move(method)) {}

  void OnCancel() override { flag_->Cancel(); }
  void OnDone() override { delete this; }

 protected:
  grpc::CallbackServerContext* call() const { return call_; }

  // Runs `handler(context)`, which returns the Status of the call, on a thread of the runner.
  template <typename Handler>
  void Run(CallKind kind, Handler handler) {
    Result<CallContext> context = AdmitCall(host_, *call_, flag_);
    if (!context.ok()) return End(context.status());
    const Status queued =
        host_.runner->Submit(kind, flag_, [this, handler = std::move(handler), context = *context] {
          Status status = context.Check();  // it may have waited for long
          if (status.ok()) status = Guarded([&] { return handler(context); });
          End(status);
        });
    if (!queued.ok()) End(queued);
  }

 private:
  void End(const Status& status) { this->Finish(EndCall(host_, *call_, method_, status)); }

  const RpcHost host_;
  grpc::CallbackServerContext* const call_;
  const std::string method_;
  const std::shared_ptr<CancelFlag> flag_ = std::make_shared<CancelFlag>();
};

inline Status ClientGone() {
  return Status(StatusCode::kCancelled, Reason::kCancelled, "the client went away");
}

template <typename Request, typename Response>
class UnaryCall final : public CallReactor<grpc::ServerUnaryReactor> {
 public:
  using Handler = std::function<Result<Response>(const Request&, const CallContext&)>;
  UnaryCall(const RpcHost& host, grpc::CallbackServerContext* call, std::string method)
      : CallReactor(host, call, std::move(method)) {}

  grpc::ServerUnaryReactor* Start(const Request* request, Response* response, Handler handler) {
    Run(CallKind::kUnary,
        [request, response, handler = std::move(handler)](const CallContext& context) -> Status {
          ASSIGN_OR_RETURN(*response, handler(*request, context));
          return OkStatus();
        });
    return this;
  }
};

template <typename Request, typename Response>
class ServerStreamCall final : public CallReactor<grpc::ServerWriteReactor<Response>> {
 public:
  using Base = CallReactor<grpc::ServerWriteReactor<Response>>;
  using Handler =
      std::function<Status(const Request&, const Writer<Response>&, const CallContext&)>;
  ServerStreamCall(const RpcHost& host, grpc::CallbackServerContext* call, std::string method)
      : Base(host, call, std::move(method)) {}

  grpc::ServerWriteReactor<Response>* Start(const Request* request, Handler handler) {
    this->Run(CallKind::kStream,
              [this, request, handler = std::move(handler)](const CallContext& context) {
                const Writer<Response> write = [this](const Response& message) {
                  this->StartWrite(&message);
                  return write_.Wait() ? OkStatus() : ClientGone();
                };
                return handler(*request, write, context);
              });
    return this;
  }

  void OnWriteDone(bool ok) override { write_.Done(ok); }

 private:
  StreamStep write_;
};

template <typename Request, typename Response>
class BidiCall final : public CallReactor<grpc::ServerBidiReactor<Request, Response>> {
 public:
  using Base = CallReactor<grpc::ServerBidiReactor<Request, Response>>;
  using Handler =
      std::function<Status(const Reader<Request>&, const Writer<Response>&, const CallContext&)>;
  BidiCall(const RpcHost& host, grpc::CallbackServerContext* call, std::string method)
      : Base(host, call, std::move(method)) {}

  grpc::ServerBidiReactor<Request, Response>* Start(Handler handler) {
    this->Run(CallKind::kStream, [this, handler = std::move(handler)](const CallContext& context) {
      const Reader<Request> read = [this, &context] { return Read(context); };
      const Writer<Response> write = [this](const Response& message) {
        this->StartWrite(&message);
        return write_.Wait() ? OkStatus() : ClientGone();
      };
      return handler(read, write, context);
    });
    return this;
  }

  void OnReadDone(bool ok) override { read_.Done(ok); }
  void OnWriteDone(bool ok) override { write_.Done(ok); }
  void OnCancel() override {
    Base::OnCancel();
    cancelled_.Done(false);
  }

 private:
  static constexpr std::chrono::milliseconds kCancelNotice{20};

  Result<std::optional<Request>> Read(const CallContext& context) {
    if (at_end_) return std::optional<Request>();
    Request message;
    this->StartRead(&message);
    if (read_.Wait()) return std::optional<Request>(std::move(message));
    at_end_ = true;
    // gRPC reports the end of the stream and a broken connection alike; in the second case the
    // cancellation comes at the same moment, but maybe on another thread. A broken upload must not
    // pass for a short one.
    cancelled_.WaitFor(kCancelNotice);
    RETURN_IF_ERROR(context.Check());
    if (this->call()->IsCancelled()) return ClientGone();
    return std::optional<Request>();
  }

  StreamStep read_;
  StreamStep write_;
  StreamStep cancelled_;
  bool at_end_ = false;  // of the handler's thread only
};

}  // namespace ragstone::services

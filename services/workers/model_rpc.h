#pragma once

// clang-format off
// First: gRPC's Abseil has macros of the same names, and only a system header may redefine them.
#include "base/mutex.h"
// clang-format on

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/bounded_queue.h"
#include "base/call_context.h"
#include "base/status.h"

namespace ragstone::services {

// The one place where a model worker turns a Status into gRPC's: code, message, and the name of the
// reason as the details, in plain text.
inline grpc::Status ToGrpcStatus(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message(),
                      std::string(ReasonName(status.reason())));
}

// Threads that run handlers, so that gRPC's own never block. At most `calls_max` calls run or wait.
class HandlerThreads {
 public:
  HandlerThreads(size_t threads, size_t calls_max) : queue_(calls_max) {
    for (size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] {
        while (auto work = queue_.Pop()) (*work)();
      });
    }
  }
  ~HandlerThreads() {
    queue_.Close();
    for (std::thread& thread : threads_) thread.join();
  }
  // Returns false if too many calls wait.
  bool Run(std::function<void()> work) { return queue_.TryPush(std::move(work)); }

 private:
  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

// Deadline and cancellation of a gRPC call as a CallContext. `flag` is raised by OnCancel.
inline CallContext ContextOf(const grpc::CallbackServerContext& context,
                             const std::shared_ptr<CancelFlag>& flag) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  // gRPC gives "no deadline" as a time in the far future, which steady_clock may not hold.
  const bool none = left > std::chrono::hours(24 * 365);
  const auto deadline =
      none ? CallContext::TimePoint::max()
           : std::chrono::steady_clock::now() +
                 std::chrono::duration_cast<std::chrono::steady_clock::duration>(left);
  return CallContext(deadline, flag);
}

inline grpc::Status TooManyCalls() {
  return ToGrpcStatus(
      ResourceExhausted(Reason::kQueueFull, "the worker has too many calls; try again later"));
}

// A call with one answer. `handler` runs on a handler thread; the object deletes itself.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  using Handler = std::function<Status(const CallContext&)>;

  static UnaryCall* Start(HandlerThreads* threads, grpc::CallbackServerContext* context,
                          Handler handler) {
    auto* call = new UnaryCall;
    const CallContext call_context = ContextOf(*context, call->flag_);
    const bool queued = threads->Run([call, call_context, handler = std::move(handler)] {
      call->Finish(ToGrpcStatus(handler(call_context)));
    });
    if (!queued) call->Finish(TooManyCalls());
    return call;
  }

 private:
  UnaryCall() = default;
  void OnCancel() override { flag_->Cancel(); }
  void OnDone() override { delete this; }

  std::shared_ptr<CancelFlag> flag_ = std::make_shared<CancelFlag>();
};

// A call with a stream of answers. The handler writes from its handler thread; each Write waits
// until gRPC has taken the message, which bounds what is held.
template <typename Response>
class StreamCall final : public grpc::ServerWriteReactor<Response> {
 public:
  using Handler = std::function<Status(StreamCall*, const CallContext&)>;

  static StreamCall* Start(HandlerThreads* threads, grpc::CallbackServerContext* context,
                           Handler handler) {
    auto* call = new StreamCall;
    const CallContext call_context = ContextOf(*context, call->flag_);
    const bool queued = threads->Run([call, call_context, handler = std::move(handler)] {
      call->Finish(ToGrpcStatus(handler(call, call_context)));
    });
    if (!queued) call->Finish(TooManyCalls());
    return call;
  }

  // CANCELLED if the caller is gone.
  Status Write(const Response& response) {
    {
      MutexLock lock(&mutex_);
      writing_ = true;
    }
    this->StartWrite(&response);
    MutexLock lock(&mutex_);
    while (writing_) written_.Wait(&mutex_);
    if (ok_) return OkStatus();
    return Status(StatusCode::kCancelled, Reason::kCancelled, "the caller is gone");
  }

 private:
  StreamCall() = default;
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    ok_ = ok;
    writing_ = false;
    written_.NotifyAll();
  }
  void OnCancel() override { flag_->Cancel(); }
  void OnDone() override { delete this; }

  std::shared_ptr<CancelFlag> flag_ = std::make_shared<CancelFlag>();
  Mutex mutex_;
  CondVar written_;
  bool writing_ GUARDED_BY(mutex_) = false;
  bool ok_ GUARDED_BY(mutex_) = true;
};

}  // namespace ragstone::services

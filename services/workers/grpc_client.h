#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "base/call_context.h"
#include "base/status.h"
#include "services/workers/process_slot.h"

namespace ragstone::services {

// Passes deadline and cancellation of a CallContext on to a gRPC call for as long as it lives.
class CallScope {
 public:
  using TimePoint = CallContext::TimePoint;
  CallScope(const CallContext& context, TimePoint deadline, grpc::ClientContext* call);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  const CallContext& context_;
  int callback_;
};

// One try of a request to a worker.
struct Attempt {
  std::shared_ptr<grpc::Channel> channel;
  grpc::ClientContext call;
  // Set as soon as something of the answer came: then it must not be sent again.
  bool received = false;
  // Set if our own side ended the call with this error.
  std::optional<Status> own_error;
};

struct WorkerCallOptions {
  // Whether a request whose worker died may be sent once more.
  bool resend = true;
  // A worker that has not answered in this time hangs and is ended; max() for none.
  std::chrono::milliseconds time_max = std::chrono::milliseconds::max();
};

// Runs `send` on the slot's worker. Tells the worker's own errors from its death: a worker that
// died gets the request once more if nothing had come, then UNAVAILABLE (WORKER_CRASHED) says how
// it ended. RESOURCE_EXHAUSTED (TIME_LIMIT) after options.time_max, or when the worker ended itself
// for that reason.
Status CallWorker(ProcessSlot* slot, const CallContext& context, const WorkerCallOptions& options,
                  const std::function<grpc::Status(Attempt*)>& send);

}  // namespace ragstone::services

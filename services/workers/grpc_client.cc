#include "services/workers/grpc_client.h"

#include <algorithm>

#include "services/rpc/status_convert.h"

namespace ragstone::services {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kMessageBytesMax = 64 << 20;
// The connection breaks a little before the kernel reports the end of the process.
constexpr milliseconds kExitNoticeMax{2000};
constexpr int kReconnectMs = 20;
constexpr int kReconnectMsMax = 200;

std::shared_ptr<grpc::Channel> NewChannel(const std::filesystem::path& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMsMax);
  return grpc::CreateCustomChannel("unix:" + socket.string(), grpc::InsecureChannelCredentials(),
                                   arguments);
}

std::chrono::system_clock::time_point ToSystem(CallContext::TimePoint deadline) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline -
                                                                         steady_clock::now());
}

// Whether the connection, not the worker's code, may have given this status.
bool MayBeDeath(const grpc::Status& status) {
  if (HasReason(status)) return false;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::CANCELLED:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::shared_ptr<grpc::Channel> WorkerInstance::channel() {
  MutexLock lock(&mutex_);
  if (channel_ == nullptr) channel_ = NewChannel(socket_);
  return channel_;
}

CallScope::CallScope(const CallContext& context, TimePoint deadline, grpc::ClientContext* call)
    : context_(context) {
  if (deadline != TimePoint::max()) call->set_deadline(ToSystem(deadline));
  callback_ = context.flag()->AddCallback([call] { call->TryCancel(); });
}

CallScope::~CallScope() { context_.flag()->RemoveCallback(callback_); }

namespace {

// What became of one attempt.
struct Outcome {
  Status status;
  bool died = false;
};

Outcome Judge(ProcessSlot* slot, WorkerInstance* instance, const grpc::Status& status) {
  if (!MayBeDeath(status)) {
    slot->NoteAnswer();
    return {FromGrpc(status), false};
  }
  // A worker's bug may give INTERNAL as well, but then it is alive.
  const bool connection_lost = status.error_code() == grpc::StatusCode::UNAVAILABLE;
  if (instance->WaitForExit(connection_lost ? kExitNoticeMax : milliseconds(100))) {
    if (instance->exited_by_time_limit()) {
      return {ResourceExhausted(
                  Reason::kTimeLimit,
                  "the " + slot->role() + " worker met its time limit: " + instance->exit_text()),
              false};
    }
    return {Unavailable(Reason::kWorkerCrashed,
                        "the " + slot->role() +
                            " worker ended in the middle of the request: " + instance->exit_text()),
            true};
  }
  if (connection_lost) {
    slot->Kill(instance);
    return {Unavailable(Reason::kWorkerUnavailable,
                        "the connection to the " + slot->role() +
                            " worker broke; the worker was ended: " + status.error_message()),
            true};
  }
  return {FromGrpc(status), false};
}

}  // namespace

Status CallWorker(ProcessSlot* slot, const CallContext& context, const WorkerCallOptions& options,
                  const std::function<grpc::Status(Attempt*)>& send) {
  for (int tries = 0;; ++tries) {
    ASSIGN_OR_RETURN(const ProcessSlot::Lease lease, slot->Acquire(context));
    CallContext::TimePoint deadline = context.deadline();
    CallContext::TimePoint hung_at = CallContext::TimePoint::max();
    if (options.time_max != milliseconds::max()) hung_at = steady_clock::now() + options.time_max;
    deadline = std::min(deadline, hung_at);

    Attempt attempt;
    attempt.channel = lease.instance()->channel();
    grpc::Status status;
    {
      const CallScope scope(context, deadline, &attempt.call);
      status = send(&attempt);
    }
    if (status.ok() && !attempt.own_error) {
      slot->NoteAnswer();
      return OkStatus();
    }
    if (attempt.own_error) return *attempt.own_error;
    RETURN_IF_ERROR(context.Check());
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && !HasReason(status)) {
      if (steady_clock::now() < hung_at) {
        // The worker's clock ran ahead of ours by a moment; it is the caller's deadline.
        return FromGrpc(status);
      }
      slot->Kill(lease.instance().get());
      return ResourceExhausted(Reason::kTimeLimit,
                               "the " + slot->role() + " worker did not end within " +
                                   std::to_string(options.time_max.count()) + " ms and was ended");
    }
    const Outcome outcome = Judge(slot, lease.instance().get(), status);
    const bool again = outcome.died && options.resend && tries == 0 && !attempt.received;
    if (!again) return outcome.status;
  }
}

}  // namespace ragstone::services

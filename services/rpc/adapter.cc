#include "services/rpc/adapter.h"

#include "services/logging.h"

namespace ragstone::services {

namespace {

// gRPC gives deadlines of the system's clock; ours are of the steady one.
CallContext::TimePoint ToSteady(std::chrono::system_clock::time_point deadline) {
  if (deadline == std::chrono::system_clock::time_point::max()) {
    return CallContext::TimePoint::max();
  }
  const auto left = deadline - std::chrono::system_clock::now();
  // A client may send any number; what is years away is none.
  if (left > std::chrono::hours(24 * 365)) return CallContext::TimePoint::max();
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(left);
}

bool IsDefect(StatusCode code) {
  return code == StatusCode::kInternal || code == StatusCode::kDataLoss ||
         code == StatusCode::kUnknown;
}

}  // namespace

Result<CallContext> AdmitCall(const RpcHost& host, const grpc::CallbackServerContext& call,
                              std::shared_ptr<CancelFlag> flag) {
  const auto header = call.client_metadata().find("authorization");
  std::optional<std::string_view> authorization;
  if (header != call.client_metadata().end()) {
    authorization = std::string_view(header->second.data(), header->second.size());
  }
  ASSIGN_OR_RETURN(const bool trusted, host.access->Check(call.peer(), authorization));
  CallContext context(ToSteady(call.deadline()), std::move(flag));
  context.set_trusted_local(trusted);
  return context;
}

grpc::Status EndCall(const RpcHost& host, const grpc::CallbackServerContext& call,
                     const std::string& method, const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const bool stopped = status.code() == StatusCode::kCancelled && host.runner->stopping();
  const Status final_status =
      stopped ? Unavailable(Reason::kShuttingDown,
                            "the server is stopping; work that it has accepted goes on when it "
                            "runs again")
              : status;
  LogEvent(IsDefect(status.code()) ? LogLevel::kError : LogLevel::kDebug, "rpc.failed",
           {{"method", method}, {"peer", call.peer()}, {"status", final_status.ToString()}});
  return ToGrpc(final_status);
}

Status ThrownStatus(const char* what) {
  return Internal(std::string("a handler failed unexpectedly: ") + what +
                  "; please report this with the server's log");
}

}  // namespace ragstone::services

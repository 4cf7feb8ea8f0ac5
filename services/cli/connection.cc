#include "services/cli/connection.h"

#include <fmt/format.h>

#include "services/cli/interrupt.h"
#include "services/rpc/status_convert.h"

namespace ragstone::services::cli {
namespace {

using std::chrono::milliseconds;

// Larger than any message the server may send.
constexpr int kMessageBytesMax = 64 << 20;
constexpr milliseconds kConnectWait{2000};
// Between two looks for a server that is starting.
constexpr int kLockSliceMs = 250;

Status Gone(const std::filesystem::path& data_dir, const std::string& detail) {
  return Unavailable(Reason::kServerGone,
                     fmt::format("the server of {} went away ({}); start it again with `ragstone "
                                 "serve`, or repeat the command, which then runs without one",
                                 data_dir.string(), detail));
}

}  // namespace

Call::Call(CancelFlag* cancel) : cancel_(cancel) {
  callback_ = cancel_->AddCallback([this] { context_.TryCancel(); });
}

Call::~Call() { cancel_->RemoveCallback(callback_); }

Status Connection::Connect(const std::string& target, milliseconds wait) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  if (channel_->WaitForConnected(std::chrono::system_clock::now() + wait)) return OkStatus();
  channel_.reset();
  return Gone(data_dir_, "it does not answer at " + target);
}

Result<std::unique_ptr<Connection>> Connection::OpenRunning(const Settings& settings,
                                                            const ServerHooks& hooks,
                                                            std::shared_ptr<CancelFlag> cancel) {
  ASSIGN_OR_RETURN(const std::string target, hooks.find(settings.data_dir));
  std::unique_ptr<Connection> connection(new Connection(std::move(cancel), settings.data_dir));
  RETURN_IF_ERROR(connection->Connect(target, kConnectWait));
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::Open(const Settings& settings,
                                                     const ServerHooks& hooks,
                                                     std::shared_ptr<CancelFlag> cancel) {
  const auto until = std::chrono::steady_clock::now() + milliseconds(kLockWaitMs);
  for (;;) {
    auto running = OpenRunning(settings, hooks, cancel);
    if (running.ok()) return running;
    // The lock is waited for in slices, because the process that holds it may be a server whose
    // socket appears in the meantime.
    auto server = hooks.start(settings, {.listen_tcp = false, .lock_wait_ms = kLockSliceMs});
    if (server.ok()) {
      std::unique_ptr<Connection> connection(new Connection(cancel, settings.data_dir));
      connection->server_ = std::move(server).value();
      RETURN_IF_ERROR(connection->Connect(connection->server_->socket_target(), kConnectWait * 5));
      return connection;
    }
    const Status status = server.status();
    if (status.reason() != Reason::kDataDirLocked) return status;
    if (std::chrono::steady_clock::now() >= until) return status;
    if (!SleepUnless(cancel.get(), milliseconds(50))) {
      return Status(StatusCode::kCancelled, Reason::kCancelled, "interrupted");
    }
  }
}

Connection::~Connection() {
  channel_.reset();
  if (server_ != nullptr) server_->Shutdown();
}

void Connection::WaitUntilIdle() const {
  while (server_ != nullptr && !server_->Idle()) {
    if (!SleepUnless(cancel_.get(), milliseconds(50))) return;
  }
}

Status Connection::Convert(const grpc::Status& status) const {
  if (status.ok()) return OkStatus();
  if (status.error_code() == grpc::StatusCode::CANCELLED && cancel_->cancelled()) {
    return Status(StatusCode::kCancelled, Reason::kCancelled, "interrupted");
  }
  // Errors of the server carry details; one without was made by gRPC on this side.
  const bool local = status.error_details().empty();
  if (local && status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return Status(StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                  "the server did not answer in time; see `ragstone doctor`");
  }
  const bool broken = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                      status.error_code() == grpc::StatusCode::UNKNOWN ||
                      status.error_code() == grpc::StatusCode::CANCELLED;
  if (local && broken) return Gone(data_dir_, status.error_message());
  return FromGrpc(status);
}

}  // namespace ragstone::services::cli

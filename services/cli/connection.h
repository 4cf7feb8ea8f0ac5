#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/call_context.h"
#include "base/status.h"
#include "services/server.h"

namespace ragstone::services::cli {

// How servers are found and started: FindServer and Server::Start, or what a test puts here.
struct ServerHooks {
  std::function<Result<std::string>(const std::filesystem::path&)> find;
  std::function<Result<std::unique_ptr<Server>>(const Settings&, const Server::Options&)> start;
};

// A gRPC call that the flag cancels. Lives as long as the call.
class Call {
 public:
  explicit Call(CancelFlag* cancel);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  grpc::ClientContext* context() { return &context_; }

 private:
  CancelFlag* const cancel_;
  grpc::ClientContext context_;
  int callback_ = -1;
};

// The way to the server that owns a data directory: one that runs, or, if none does, one that this
// process runs for as long as the connection lives. Both are spoken to over the same Unix socket.
// Thread-safe.
class Connection {
 public:
  // How long to wait for another process that holds the lock but cannot be reached yet.
  static constexpr int kLockWaitMs = 5000;
  // After so long without an answer to a short request, the server counts as gone.
  static constexpr std::chrono::seconds kShortCall{30};
  static constexpr std::chrono::minutes kLongCall{60};

  // UNAVAILABLE (DATA_DIR_LOCKED) if another process holds the data directory and does not answer;
  // what Server::Start gives otherwise.
  static Result<std::unique_ptr<Connection>> Open(const Settings& settings,
                                                  const ServerHooks& hooks,
                                                  std::shared_ptr<CancelFlag> cancel);
  // Only to a server that runs already; NOT_FOUND (SERVER_GONE) if none does.
  static Result<std::unique_ptr<Connection>> OpenRunning(const Settings& settings,
                                                         const ServerHooks& hooks,
                                                         std::shared_ptr<CancelFlag> cancel);
  ~Connection();  // ends the server if it runs in this process

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  CancelFlag* cancel() const { return cancel_.get(); }
  // Whether the server runs in this process, and ends with it.
  bool in_process() const { return server_ != nullptr; }
  // Waits until the server of this process has no job left, or the flag is raised.
  void WaitUntilIdle() const;

  // Converts the outcome of a call. A broken connection becomes UNAVAILABLE (SERVER_GONE).
  Status Convert(const grpc::Status& status) const;

  // Runs a unary call: `connection.Unary(&v1::SearchService::Stub::Search, request, kShortCall)`.
  template <typename Stub, typename Request, typename Response>
  Result<Response> Unary(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                      Response*),
                         const Request& request, std::chrono::seconds limit) const {
    Stub stub(channel_);
    Call call(cancel_.get());
    call.context()->set_deadline(std::chrono::system_clock::now() + limit);
    Response response;
    const grpc::Status status = (stub.*method)(call.context(), request, &response);
    if (!status.ok()) return Convert(status);
    return response;
  }

 private:
  Connection(std::shared_ptr<CancelFlag> cancel, std::filesystem::path data_dir)
      : cancel_(std::move(cancel)), data_dir_(std::move(data_dir)) {}
  // UNAVAILABLE (SERVER_GONE) if nobody answers within `wait`.
  Status Connect(const std::string& target, std::chrono::milliseconds wait);

  const std::shared_ptr<CancelFlag> cancel_;
  const std::filesystem::path data_dir_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace ragstone::services::cli

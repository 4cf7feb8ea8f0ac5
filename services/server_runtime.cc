#include "services/server_runtime.h"

#include <optional>
#include <utility>

#include "base/file.h"
#include "base/mutex.h"
#include "services/data_dir.h"
#include "services/logging.h"
#include "services/rpc/grpc_server.h"
#include "services/rpc/listen_address.h"
#include "services/runtime_dir.h"

namespace ragstone::services {

namespace {

constexpr uint64_t kPemBytesMax = 1 << 20;

class RunningServer : public Server {
 public:
  RunningServer(DataDir data_dir, std::unique_ptr<RuntimeDir> sockets, std::unique_ptr<App> app,
                std::unique_ptr<GrpcServer> grpc)
      : data_dir_(std::move(data_dir)),
        sockets_(std::move(sockets)),
        app_(std::move(app)),
        grpc_(std::move(grpc)),
        socket_target_(grpc_->socket_target()),
        tcp_address_(grpc_->tcp_address()) {}

  ~RunningServer() override { Shutdown(); }

  Status Announce() { return data_dir_.WriteEndpoint(socket_target_, tcp_address_); }

  std::string socket_target() const override { return socket_target_; }
  std::string tcp_address() const override { return tcp_address_; }
  bool Idle() const override { return app_->Idle(); }

  void Shutdown() override {
    MutexLock lock(&mutex_);
    if (stopped_) return;
    stopped_ = true;
    // First nobody finds the server any more, then the calls end, then the jobs.
    data_dir_.RemoveEndpoint();
    grpc_->Shutdown();
    app_->Shutdown();
    LogEvent(LogLevel::kInfo, "server.stop", {{"data_dir", data_dir_.path().string()}});
  }

 private:
  // In the order in which they depend on each other: the lock is given up last.
  DataDir data_dir_;
  const std::unique_ptr<RuntimeDir> sockets_;
  const std::unique_ptr<App> app_;
  const std::unique_ptr<GrpcServer> grpc_;
  const std::string socket_target_;
  const std::string tcp_address_;
  Mutex mutex_;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

// What is to be listened on; refusals come before anything is opened.
Result<GrpcServer::Options> ListenOptions(const Settings& settings, bool listen_tcp) {
  GrpcServer::Options options;
  options.request_threads = settings.request_threads;
  options.requests_max = settings.requests_max;
  if (!listen_tcp || settings.grpc_listen.empty()) return options;
  ASSIGN_OR_RETURN(options.tcp, ParseListenAddress(settings.grpc_listen));
  const bool has_tls = !settings.tls_cert.empty() && !settings.tls_key.empty();
  RETURN_IF_ERROR(CheckMayListen(*options.tcp, has_tls));
  if (has_tls) {
    Result<std::string> cert = ReadFile(settings.tls_cert, kPemBytesMax);
    if (!cert.ok()) return cert.status().WithContext("setting tls_cert");
    Result<std::string> key = ReadFile(settings.tls_key, kPemBytesMax);
    if (!key.ok()) return key.status().WithContext("setting tls_key");
    options.tls_cert = std::move(cert).value();
    options.tls_key = std::move(key).value();
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<Server>> StartServer(const Settings& settings,
                                            const Server::Options& options,
                                            const AppFactory& make_app) {
  ASSIGN_OR_RETURN(GrpcServer::Options listen, ListenOptions(settings, options.listen_tcp));
  ASSIGN_OR_RETURN(DataDir data_dir, DataDir::Lock(settings.data_dir, options.lock_wait_ms));
  if (listen.tcp) {
    ASSIGN_OR_RETURN(listen.token, data_dir.Token());
  }
  ASSIGN_OR_RETURN(std::unique_ptr<RuntimeDir> sockets, RuntimeDir::Create());
  listen.socket = sockets->path() / "api.sock";
  ASSIGN_OR_RETURN(std::unique_ptr<WorkerPool> workers, WorkerPool::Start(settings));
  ASSIGN_OR_RETURN(std::unique_ptr<App> app, make_app(std::move(workers)));
  Result<std::unique_ptr<GrpcServer>> grpc = GrpcServer::Start(app.get(), listen);
  if (!grpc.ok()) {
    app->Shutdown();
    return grpc.status();
  }
  auto server = std::make_unique<RunningServer>(std::move(data_dir), std::move(sockets),
                                                std::move(app), std::move(grpc).value());
  RETURN_IF_ERROR(server->Announce());
  LogEvent(LogLevel::kInfo, "server.start",
           {{"data_dir", settings.data_dir.string()},
            {"socket", server->socket_target()},
            {"tcp", server->tcp_address()}});
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace ragstone::services

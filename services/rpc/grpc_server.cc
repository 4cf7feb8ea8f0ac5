#include "services/rpc/grpc_server.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <vector>

#include "base/file.h"
#include "services/logging.h"
#include "services/rpc/access.h"
#include "services/rpc/adapter.h"
#include "services/rpc/call_runner.h"
#include "services/rpc/service_bindings.h"

namespace ragstone::services {

namespace {

constexpr int kRequestBytesMax = 16 << 20;
constexpr int kResponseBytesMax = 64 << 20;
// A peer that has vanished without a word is noticed after these.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr std::chrono::milliseconds kShutdownGrace{3000};

void LogOfGrpc(gpr_log_func_args* line) {
  LogEvent(LogLevel::kDebug, "grpc", {{"message", line->message}});
}

// Process-wide switches of gRPC, set before the first server.
void SetUpGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Held for ever: otherwise the last object's end shuts the library down, which may wait for ten
    // seconds, and the next one starts it again.
    grpc_init();
    gpr_set_log_function(LogOfGrpc);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

std::shared_ptr<grpc::ServerCredentials> TcpCredentials(const GrpcServer::Options& options) {
  if (options.tls_cert.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({options.tls_key, options.tls_cert});
  return grpc::SslServerCredentials(tls);
}

class GrpcServerImpl : public GrpcServer {
 public:
  GrpcServerImpl(Api* api, const Options& options)
      : options_(options),
        access_(options.token),
        runner_({options.request_threads, options.requests_max, options.requests_max}) {
    host_.api = api;
    host_.access = &access_;
    host_.runner = &runner_;
    services_ = NewRpcServices(host_);
  }

  ~GrpcServerImpl() override { Shutdown(); }

  Status Listen() {
    SetUpGrpc();
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kRequestBytesMax);
    builder.SetMaxSendMessageSize(kResponseBytesMax);
    // With it two servers would share a port without a word.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
    int socket_bound = 0;
    int tcp_port = 0;
    builder.AddListeningPort(socket_target(), grpc::InsecureServerCredentials(), &socket_bound);
    if (options_.tcp) {
      builder.AddListeningPort(options_.tcp->Text(), TcpCredentials(options_), &tcp_port);
    }
    for (const auto& service : services_) builder.RegisterService(service.get());
    server_ = builder.BuildAndStart();
    if (options_.tcp && tcp_port <= 0) return TcpFailed();
    if (server_ == nullptr || socket_bound <= 0) {
      return Internal("cannot listen on the Unix socket " + options_.socket.string());
    }
    if (options_.tcp) options_.tcp->port = tcp_port;
    // The folder already keeps others out; the mode says so for the socket as well.
    if (::chmod(options_.socket.c_str(), 0600) != 0) {
      return ErrnoStatus(errno, "chmod " + options_.socket.string());
    }
    server_->GetHealthCheckService()->SetServingStatus(true);
    return OkStatus();
  }

  std::string socket_target() const override { return "unix:" + options_.socket.string(); }
  std::string tcp_address() const override { return options_.tcp ? options_.tcp->Text() : ""; }

  void Shutdown() override {
    if (server_ == nullptr) return;
    server_->GetHealthCheckService()->SetServingStatus(false);
    runner_.Stop(kShutdownGrace);
    // No handler runs any more, so that this waits only for the last answers to be sent.
    server_->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
    server_ = nullptr;
  }

 private:
  Status TcpFailed() const {
    return InvalidArgument(
        Reason::kInvalidSetting,
        "cannot listen on " + options_.tcp->Text() +
            (options_.tls_cert.empty() ? "" : " with the given tls_cert and tls_key") +
            "; the port may be in use or the address not of this machine: "
            "choose another one with --grpc-listen");
  }

  Options options_;
  const AccessCheck access_;
  CallRunner runner_;
  RpcHost host_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::Start(Api* api, const Options& options) {
  auto server = std::make_unique<GrpcServerImpl>(api, options);
  RETURN_IF_ERROR(server->Listen());
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace ragstone::services

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "services/api.h"
#include "services/rpc/listen_address.h"

namespace ragstone::services {

// Serves an Api over gRPC: on a Unix socket (mode 0600), and on TCP where asked for. Calls over TCP
// need the token; health and reflection tell nothing that is not in the published protos and are
// open. Thread-safe.
class GrpcServer {
 public:
  struct Options {
    std::filesystem::path socket;  // in a folder that only the owner may enter
    std::optional<ListenAddress> tcp;
    std::string token;              // for TCP
    std::string tls_cert, tls_key;  // PEM texts; empty: no TLS
    uint32_t request_threads = 16;
    uint32_t requests_max = 64;
  };

  // INVALID_ARGUMENT (INVALID_SETTING) if an address cannot be listened on. `api` outlives the
  // server.
  static Result<std::unique_ptr<GrpcServer>> Start(Api* api, const Options& options);
  virtual ~GrpcServer() = default;  // as Shutdown

  virtual std::string socket_target() const = 0;
  virtual std::string tcp_address() const = 0;  // empty without TCP
  // Refuses new calls, lets running ones end for a few seconds, then cancels them. Twice is fine.
  virtual void Shutdown() = 0;
};

}  // namespace ragstone::services

#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "services/settings.h"

namespace ragstone::services {

// A running Ragstone: the locked data directory, the App, and gRPC on a Unix socket (mode 0600)
// and, if asked, on TCP with a bearer token. The CLI runs one in its own process when no server is
// running, so that both ways use the same handlers.
class Server {
 public:
  struct Options {
    bool listen_tcp = false;  // on settings.grpc_listen
    int lock_wait_ms = 5000;  // how long to wait for the data directory's lock
  };

  // UNAVAILABLE (DATA_DIR_LOCKED) names the process that holds the lock; INVALID_ARGUMENT
  // (TLS_REQUIRED, INVALID_SETTING) for the address.
  static Result<std::unique_ptr<Server>> Start(const Settings& settings, const Options& options);
  virtual ~Server() = default;  // as Shutdown

  // "unix:/run/user/1000/ragstone-…/api.sock"
  virtual std::string socket_target() const = 0;
  // "127.0.0.1:7420"; empty without TCP. With port 0 the one that was given.
  virtual std::string tcp_address() const = 0;
  virtual bool Idle() const = 0;  // no job waits or runs
  // Refuses new calls, lets running ones end for at most a few seconds, stops jobs at a point from
  // which they resume. May be called twice.
  virtual void Shutdown() = 0;
};

// Finds the server that uses this data directory: its socket target, or NOT_FOUND (SERVER_GONE) if
// none runs (a left-over file of a dead one counts as none).
Result<std::string> FindServer(const std::filesystem::path& data_dir);

}  // namespace ragstone::services

#include "services/server.h"

#include "services/app.h"
#include "services/server_runtime.h"

namespace ragstone::services {

Result<std::unique_ptr<Server>> Server::Start(const Settings& settings, const Options& options) {
  return StartServer(settings, options, [&settings](std::unique_ptr<WorkerPool> workers) {
    return App::Open(settings, std::move(workers), Clock::System());
  });
}

}  // namespace ragstone::services

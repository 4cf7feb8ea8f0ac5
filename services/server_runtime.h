#pragma once

#include <functional>
#include <memory>

#include "services/app.h"
#include "services/server.h"
#include "services/worker_pool.h"

namespace ragstone::services {

// Makes what runs behind the front doors, once the data directory is locked.
using AppFactory = std::function<Result<std::unique_ptr<App>>(std::unique_ptr<WorkerPool>)>;

// What Server::Start does, with the App that `make_app` makes.
Result<std::unique_ptr<Server>> StartServer(const Settings& settings,
                                            const Server::Options& options,
                                            const AppFactory& make_app);

}  // namespace ragstone::services

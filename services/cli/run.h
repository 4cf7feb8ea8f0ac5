#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "services/cli/connection.h"
#include "services/cli/output.h"

namespace ragstone::services::cli {

// What a run of the program is given by its surroundings.
struct Surroundings {
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  Terminal terminal;
  std::map<std::string, std::string> environment;  // see ReadEnvironment
  std::shared_ptr<CancelFlag> cancel;
  ServerHooks hooks;
};

// Runs one command line, without the program's name. Returns the exit code: 0 done, 1 failed, 2
// wrong usage, 3 no answer found.
int RunCli(const std::vector<std::string>& args, const Surroundings& surroundings);

}  // namespace ragstone::services::cli

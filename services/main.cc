#include <signal.h>

#include <iostream>

#include "services/cli/interrupt.h"
#include "services/cli/run.h"
#include "services/server.h"
#include "services/settings.h"

int main(int argc, char** argv) {
  using ragstone::services::cli::DetectTerminal;
  // A reader that closes our stdout, as `head` does, must not end a server in mid-write.
  signal(SIGPIPE, SIG_IGN);
  ragstone::services::cli::Interrupt interrupt;
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  return ragstone::services::cli::RunCli(args,
                                         {.out = &std::cout,
                                          .err = &std::cerr,
                                          .terminal = DetectTerminal(),
                                          .environment = ragstone::services::ReadEnvironment(),
                                          .cancel = interrupt.flag(),
                                          .hooks = {.find = ragstone::services::FindServer,
                                                    .start = ragstone::services::Server::Start}});
}

#include <fmt/format.h>
#include <unistd.h>

#include "services/cli/commands.h"
#include "services/cli/interrupt.h"
#include "services/cli/json.h"
#include "services/cli/text.h"
#include "services/version.h"

namespace ragstone::services::cli {
namespace {

constexpr const char* kTokenFile = "token";

}  // namespace

Result<int> RunServe(const CommandContext& context) {
  Output* output = context.output;
  const bool tcp = !context.settings.grpc_listen.empty();
  ASSIGN_OR_RETURN(
      const auto server,
      context.hooks.start(context.settings, {.listen_tcp = tcp, .lock_wait_ms = 5000}));
  const std::string token = tcp ? (context.settings.data_dir / kTokenFile).string() : "";
  if (output->json()) {
    output->Json({{"socket", server->socket_target()},
                  {"grpc", server->tcp_address()},
                  {"pid", getpid()},
                  {"token_file", token}});
  } else {
    output->Message(fmt::format(
        "ragstone {} serves {} at {}{}", kVersion, Sanitize(context.settings.data_dir.string()),
        server->socket_target(),
        tcp ? fmt::format(" and at {} (bearer token in {})", server->tcp_address(), token) : ""));
  }
  WaitFor(context.cancel.get());
  if (!output->json()) output->Message("stopping");
  server->Shutdown();
  return kExitDone;
}

Result<int> RunVersion(const CommandContext& context) {
  if (context.output->json()) {
    context.output->Json({{"version", kVersion}});
  } else {
    context.output->Line(fmt::format("ragstone {}", kVersion));
  }
  return kExitDone;
}

}  // namespace ragstone::services::cli

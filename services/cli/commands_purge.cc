#include <fmt/format.h>

#include "ragstone/v1/admin.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/operation_progress.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {

Result<int> RunPurge(const CommandContext& context) {
  Output* output = context.output;
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  v1::AdminService::Stub stub(connection->channel());
  Call call(connection->cancel());
  const auto reader = stub.Purge(call.context(), v1::PurgeRequest());
  ASSIGN_OR_RETURN(
      const v1::PurgeFinished finished,
      (FollowOperation<v1::PurgeResponse>(*connection, reader.get(), output, "purge")));
  if (output->json()) {
    output->Json({{"purged",
                   {{"bytes_before", finished.bytes_before()},
                    {"bytes_after", finished.bytes_after()},
                    {"records", finished.records()},
                    {"originals", finished.originals()}}}});
  } else {
    output->Message(fmt::format(
        "the bytes of what was deleted are gone: {} before, {} now; backups still have them",
        HumanBytes(finished.bytes_before()), HumanBytes(finished.bytes_after())));
  }
  return kExitDone;
}

}  // namespace ragstone::services::cli

#include <fmt/format.h>

#include "ragstone/v1/search.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/render.h"
#include "services/cli/search_mode.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {

Result<int> RunSearch(const CommandContext& context) {
  v1::SearchRequest request;
  request.set_collection(context.options.collection);
  request.set_query(Join(context.options.question, " "));
  request.set_top_k(context.options.top_k);
  request.set_mode(SearchModeOf(context.options.mode));
  if (!context.options.filter.empty()) {
    request.mutable_filter()->set_expression(context.options.filter);
  }
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(
      const v1::SearchResponse response,
      connection->Unary(&v1::SearchService::Stub::Search, request, Connection::kLongCall));
  Output* output = context.output;
  if (output->json()) {
    output->Json(
        {{"hits", HitsJson(response.passages())}, {"timings_ms", TimingsJson(response.timings())}});
    return kExitDone;
  }
  if (response.passages().empty()) output->Message("nothing found");
  size_t number = 0;
  for (const v1::Passage& passage : response.passages()) {
    output->Write((number > 0 ? "\n" : "") + FormatHit(number + 1, passage, *output));
    ++number;
  }
  return kExitDone;
}

}  // namespace ragstone::services::cli

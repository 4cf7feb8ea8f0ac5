#include <fmt/format.h>

#include <cstdlib>

#include "ragstone/v1/collection.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/paging.h"
#include "services/cli/render.h"
#include "services/cli/search_mode.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

using Stub = v1::CollectionService::Stub;

constexpr std::string_view kMeasured = "measured";

void PrintCollection(const v1::Collection& collection, Output* output) {
  if (output->json()) {
    output->Json({{"collection", CollectionJson(collection)}});
    return;
  }
  output->Write(FormatTable({
      {"name", Sanitize(collection.name())},
      {"documents", std::to_string(collection.documents())},
      {"chunks", std::to_string(collection.chunks())},
      {"embedding model", fmt::format("{} ({} dimensions)", Sanitize(collection.embedding_model()),
                                      collection.dimensions())},
      {"fingerprint", Sanitize(collection.embedding_fingerprint())},
      {"index", Sanitize(collection.index())},
      {"language", Sanitize(collection.language())},
      {"searched by", std::string(SearchModeName(collection.default_mode()))},
      {"unrelated cosine", collection.has_unrelated_cosine()
                               ? fmt::format("{:.3g}", collection.unrelated_cosine())
                               : "as measured of the model"},
      {"created", FormatTimeOrDash(collection.created_ns())},
  }));
}

}  // namespace

Result<int> RunCollectionCreate(const CommandContext& context) {
  v1::CreateCollectionRequest request;
  request.set_name(context.options.id);
  request.set_embedding_model(context.options.embedding_model);
  request.set_language(context.options.language);
  request.set_default_mode(SearchModeOf(context.options.mode));
  const std::string& cosine = context.options.unrelated_cosine;
  if (!cosine.empty() && cosine != kMeasured) {
    request.set_unrelated_cosine(std::strtod(cosine.c_str(), nullptr));
  }
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::CreateCollection, request, Connection::kLongCall));
  PrintCollection(response.collection(), context.output);
  return kExitDone;
}

Result<int> RunCollectionList(const CommandContext& context) {
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(
      const auto collections,
      (ListAll<v1::Collection>(*connection, &Stub::ListCollections, v1::ListCollectionsRequest(),
                               [](const auto& page) { return &page.collections(); })));
  Output* output = context.output;
  if (output->json()) {
    Json list = Json::array();
    for (const v1::Collection& collection : collections) list.push_back(CollectionJson(collection));
    output->Json({{"collections", list}});
    return kExitDone;
  }
  if (collections.empty()) output->Message("there are no collections; `ragstone add` makes one");
  std::vector<std::vector<std::string>> rows = {{"NAME", "DOCUMENTS", "CHUNKS", "MODEL"}};
  for (const v1::Collection& collection : collections) {
    rows.push_back({Sanitize(collection.name()), std::to_string(collection.documents()),
                    std::to_string(collection.chunks()), Sanitize(collection.embedding_model())});
  }
  if (!collections.empty()) output->Write(FormatTable(rows));
  return kExitDone;
}

Result<int> RunCollectionShow(const CommandContext& context) {
  v1::GetCollectionRequest request;
  request.set_name(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::GetCollection, request, Connection::kShortCall));
  PrintCollection(response.collection(), context.output);
  return kExitDone;
}

Result<int> RunCollectionAlter(const CommandContext& context) {
  v1::AlterCollectionRequest request;
  request.set_name(context.options.id);
  request.set_default_mode(SearchModeOf(context.options.mode));
  const std::string& cosine = context.options.unrelated_cosine;
  request.set_measured_unrelated_cosine(cosine == kMeasured);
  if (!cosine.empty() && cosine != kMeasured) {
    request.set_unrelated_cosine(std::strtod(cosine.c_str(), nullptr));
  }
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::AlterCollection, request, Connection::kLongCall));
  PrintCollection(response.collection(), context.output);
  return kExitDone;
}

Result<int> RunCollectionDelete(const CommandContext& context) {
  v1::DeleteCollectionRequest request;
  request.set_name(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::DeleteCollection, request, Connection::kLongCall));
  Output* output = context.output;
  if (output->json()) {
    output->Json(
        {{"deleted", context.options.id}, {"documents_deleted", response.documents_deleted()}});
  } else {
    output->Message(fmt::format("deleted {} and its {} documents", Sanitize(context.options.id),
                                response.documents_deleted()));
  }
  return kExitDone;
}

}  // namespace ragstone::services::cli

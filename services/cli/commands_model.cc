#include <fmt/format.h>

#include <filesystem>

#include "ragstone/v1/model.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/paging.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

using Stub = v1::ModelService::Stub;

// The server may have another working directory, so it gets the canonical path.
Result<v1::ImportModelRequest> ImportRequest(const Options& options) {
  const std::string& named = options.paths.front();
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(named, error);
  if (error) return ErrnoStatus(error.value(), "read " + named);
  v1::ImportModelRequest request;
  request.set_path(path.string());
  request.set_name(options.name);
  request.set_sha256(options.sha256);
  request.set_make_default(options.make_default);
  request.set_query_prefix(options.query_prefix);
  request.set_document_prefix(options.document_prefix);
  request.set_license(options.license);
  request.set_keep_type(options.keep_type);
  request.set_int8(options.int8);
  return request;
}

std::string TypeOf(const v1::Model& model) {
  return Sanitize(model.storage_type()) + (model.int8() ? ", int8" : "");
}

std::string SizeOf(const v1::Model& model) {
  return model.dimensions() > 0 ? fmt::format("{} dimensions", model.dimensions())
                                : fmt::format("{} tokens", model.context_tokens());
}

}  // namespace

Result<int> RunModelList(const CommandContext& context) {
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto models,
                   (ListAll<v1::Model>(*connection, &Stub::ListModels, v1::ListModelsRequest(),
                                       [](const auto& page) { return &page.models(); })));
  Output* output = context.output;
  if (output->json()) {
    Json list = Json::array();
    for (const v1::Model& model : models) list.push_back(ModelJson(model));
    output->Json({{"models", list}});
    return kExitDone;
  }
  if (models.empty()) {
    output->Message("no models are installed; `ragstone model import PATH --default` installs one");
  }
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "KIND", "DEFAULT", "TYPE", "SIZE", "INPUT OR OUTPUT"}};
  for (const v1::Model& model : models) {
    rows.push_back({Sanitize(model.name()), Sanitize(model.kind()), model.is_default() ? "yes" : "",
                    TypeOf(model), HumanBytes(model.bytes()), SizeOf(model)});
  }
  if (!models.empty()) output->Write(FormatTable(rows));
  return kExitDone;
}

Result<int> RunModelImport(const CommandContext& context) {
  Output* output = context.output;
  ASSIGN_OR_RETURN(const v1::ImportModelRequest request, ImportRequest(context.options));
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  Stub stub(connection->channel());
  Call call(connection->cancel());
  const auto reader = stub.ImportModel(call.context(), request);
  v1::ImportModelResponse event;
  v1::Model model;
  bool finished = false;
  while (reader->Read(&event)) {
    if (event.has_model()) {
      model = event.model();
      finished = true;
    } else if (!output->json()) {
      output->Message(Sanitize(event.progress()));
    }
  }
  RETURN_IF_ERROR(connection->Convert(reader->Finish()));
  if (!finished) return Internal("the server ended the import without an outcome");
  if (output->json()) {
    output->Json({{"model", ModelJson(model)}});
  } else {
    output->Message(fmt::format("installed {} ({}, {}, {}{})", Sanitize(model.name()),
                                Sanitize(model.kind()), TypeOf(model), HumanBytes(model.bytes()),
                                model.is_default() ? ", default" : ""));
  }
  return kExitDone;
}

Result<int> RunModelRemove(const CommandContext& context) {
  v1::RemoveModelRequest request;
  request.set_name(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::RemoveModel, request, Connection::kShortCall));
  (void)response;
  if (context.output->json()) {
    context.output->Json({{"removed", context.options.id}});
  } else {
    context.output->Message("removed " + Sanitize(context.options.id));
  }
  return kExitDone;
}

}  // namespace ragstone::services::cli

#include <fmt/format.h>

#include "ragstone/v1/document.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/metadata.h"
#include "services/cli/paging.h"
#include "services/cli/render.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

using Stub = v1::DocumentService::Stub;

void PrintDocument(const v1::Document& document, Output* output) {
  std::vector<std::vector<std::string>> rows = {
      {"id", Sanitize(document.id())},
      {"path", Sanitize(document.path())},
      {"title", Sanitize(document.title())},
      {"type", Sanitize(document.media_type())},
      {"size", HumanBytes(document.bytes())},
      {"pages", std::to_string(document.pages())},
      {"chunks", std::to_string(document.chunks())},
      {"status", Sanitize(document.status())},
      {"sha256", Sanitize(document.content_sha256())},
      {"created", FormatTimeOrDash(document.created_ns())},
      {"updated", FormatTimeOrDash(document.updated_ns())},
  };
  const Json details = DocumentDetailsJson(document);
  for (const auto& [name, value] : details["metadata"].items()) {
    const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    rows.push_back({"metadata " + Sanitize(name), Sanitize(text)});
  }
  for (const std::string& warning : document.warnings()) {
    rows.push_back({"warning", Sanitize(warning)});
  }
  output->Write(FormatTable(rows));
}

}  // namespace

Result<int> RunDocumentList(const CommandContext& context) {
  v1::ListDocumentsRequest request;
  request.set_collection(context.options.collection);
  if (!context.options.filter.empty()) {
    request.mutable_filter()->set_expression(context.options.filter);
  }
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto documents,
                   (ListAll<v1::Document>(*connection, &Stub::ListDocuments, request,
                                          [](const auto& page) { return &page.documents(); })));
  Output* output = context.output;
  if (output->json()) {
    Json list = Json::array();
    for (const v1::Document& document : documents) list.push_back(DocumentJson(document));
    output->Json({{"documents", list}});
    return kExitDone;
  }
  if (documents.empty()) {
    output->Message(context.options.filter.empty() ? "the collection has no documents"
                                                   : "the filter holds for no document");
  }
  std::vector<std::vector<std::string>> rows = {{"ID", "PAGES", "CHUNKS", "STATUS", "PATH"}};
  for (const v1::Document& document : documents) {
    rows.push_back({Sanitize(document.id()), std::to_string(document.pages()),
                    std::to_string(document.chunks()), Sanitize(document.status()),
                    Sanitize(document.path())});
  }
  if (!documents.empty()) output->Write(FormatTable(rows));
  return kExitDone;
}

Result<int> RunDocumentShow(const CommandContext& context) {
  v1::GetDocumentRequest request;
  request.set_collection(context.options.collection);
  request.set_id(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::GetDocument, request, Connection::kShortCall));
  if (context.output->json()) {
    context.output->Json({{"document", DocumentDetailsJson(response.document())}});
  } else {
    PrintDocument(response.document(), context.output);
  }
  return kExitDone;
}

Result<int> RunDocumentUpdate(const CommandContext& context) {
  const Options& options = context.options;
  v1::Metadata changes;
  Status given = SetMetadata(options.metadata, &changes);
  if (given.ok() && options.metadata.empty() && options.unset.empty()) {
    given = InvalidArgument(Reason::kInvalidArgument,
                            "nothing is to be changed; give --meta NAME=VALUE or --unset NAME");
  }
  if (!given.ok()) {
    context.output->Error(given);
    return kExitUsage;
  }
  v1::GetDocumentRequest get;
  get.set_collection(options.collection);
  get.set_id(options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto former,
                   connection->Unary(&Stub::GetDocument, get, Connection::kShortCall));
  v1::UpdateDocumentMetadataRequest request;
  request.set_collection(options.collection);
  request.set_id(options.id);
  *request.mutable_metadata() = former.document().metadata();
  auto& entries = *request.mutable_metadata()->mutable_entries();
  for (const std::string& name : options.unset) entries.erase(name);
  for (const auto& [name, value] : changes.entries()) entries[name] = value;
  ASSIGN_OR_RETURN(const auto response, connection->Unary(&Stub::UpdateDocumentMetadata, request,
                                                          Connection::kLongCall));
  if (context.output->json()) {
    context.output->Json({{"document", DocumentDetailsJson(response.document())}});
  } else {
    PrintDocument(response.document(), context.output);
  }
  return kExitDone;
}

Result<int> RunDocumentDelete(const CommandContext& context) {
  v1::DeleteDocumentRequest request;
  request.set_collection(context.options.collection);
  request.set_id(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::DeleteDocument, request, Connection::kLongCall));
  (void)response;
  if (context.output->json()) {
    context.output->Json({{"deleted", context.options.id}});
  } else {
    context.output->Message("deleted " + Sanitize(context.options.id));
  }
  return kExitDone;
}

}  // namespace ragstone::services::cli

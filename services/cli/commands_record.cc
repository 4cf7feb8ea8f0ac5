#include <fmt/format.h>

#include "base/file.h"
#include "ragstone/v1/vector.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/paging.h"
#include "services/cli/record_json.h"
#include "services/cli/render.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

using Stub = v1::VectorService::Stub;

constexpr uint64_t kSpecBytesMax = 1 << 20;

void PrintCollection(const v1::RecordCollection& collection, Output* output) {
  const Json json = RecordCollectionJson(collection);
  if (output->json()) {
    output->Json({{"collection", json}});
    return;
  }
  std::vector<std::vector<std::string>> rows = {
      {"name", Sanitize(collection.spec().name())},
      {"records", std::to_string(collection.records())},
      {"memory", HumanBytes(collection.memory_bytes())},
      {"created", FormatTimeOrDash(collection.created_ns())},
  };
  for (const Json& vector : json["vectors"]) {
    rows.push_back(
        {fmt::format("vector \"{}\"", Sanitize(vector["name"].get<std::string>())),
         fmt::format("{} dimensions, {}, {}, {}", vector["dimensions"].get<uint32_t>(),
                     vector["metric"].get<std::string>(), vector["storage"].get<std::string>(),
                     vector["method"].get<std::string>())});
  }
  for (const v1::SparseField& field : collection.spec().sparse_vectors()) {
    rows.push_back({fmt::format("vector \"{}\"", Sanitize(field.name())), "sparse"});
  }
  for (const Json& field : json["fields"]) {
    rows.push_back({"field " + Sanitize(field["name"].get<std::string>()),
                    field["type"].get<std::string>() + (field["list"].get<bool>() ? " list" : "")});
  }
  for (const std::string& line : collection.index()) rows.push_back({"index", Sanitize(line)});
  output->Write(FormatTable(rows));
}

v1::RecordSelector SelectorOf(const Options& options) {
  v1::RecordSelector selector;
  if (options.all) {
    selector.set_all(true);
  } else if (!options.filter.empty()) {
    selector.mutable_filter()->set_expression(options.filter);
  } else {
    for (const std::string& id : options.ids) selector.mutable_ids()->add_ids(id);
  }
  return selector;
}

std::string RecordText(const v1::Record& record) {
  return EscapeJsonControls(
      RecordJson(record).dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<v1::RecordQuery> QueryOf(const Options& options) {
  v1::RecordQuery query;
  if (!options.vector_file.empty()) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(options.vector_file, kSpecBytesMax));
    auto vector = ReadVectorJson(text);
    if (!vector.ok()) return vector.status().WithContext(options.vector_file);
    *query.mutable_vector() = std::move(vector).value();
  }
  query.set_vector_name(options.vector_name);
  query.set_text(Join(options.question, " "));
  query.mutable_filter()->set_expression(options.filter);
  query.set_top_k(options.top_k);
  query.set_group_by(options.group_by);
  query.set_exact(options.exact);
  query.mutable_read()->set_with_vectors(options.with_vectors);
  return query;
}

}  // namespace

Result<int> RunRecordCreate(const CommandContext& context) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(context.options.input, kSpecBytesMax));
  auto spec = ReadSpecJson(text);
  if (!spec.ok()) return spec.status().WithContext(context.options.input);
  v1::CreateRecordCollectionRequest request;
  *request.mutable_spec() = std::move(spec).value();
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response, connection->Unary(&Stub::CreateRecordCollection, request,
                                                          Connection::kLongCall));
  PrintCollection(response.collection(), context.output);
  return kExitDone;
}

Result<int> RunRecordCollections(const CommandContext& context) {
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(
      const auto collections,
      (ListAll<v1::RecordCollection>(*connection, &Stub::ListRecordCollections,
                                     v1::ListRecordCollectionsRequest(),
                                     [](const auto& page) { return &page.collections(); })));
  Output* output = context.output;
  if (output->json()) {
    Json list = Json::array();
    for (const auto& collection : collections) list.push_back(RecordCollectionJson(collection));
    output->Json({{"collections", list}});
    return kExitDone;
  }
  if (collections.empty()) {
    output->Message("there are no collections of records; `ragstone record create` makes one");
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "RECORDS", "VECTORS", "FIELDS"}};
  for (const v1::RecordCollection& collection : collections) {
    const v1::RecordCollectionSpec& spec = collection.spec();
    rows.push_back({Sanitize(spec.name()), std::to_string(collection.records()),
                    std::to_string(spec.vectors_size() + spec.sparse_vectors_size()),
                    std::to_string(spec.fields_size())});
  }
  output->Write(FormatTable(rows));
  return kExitDone;
}

Result<int> RunRecordShow(const CommandContext& context) {
  v1::GetRecordCollectionRequest request;
  request.set_name(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::GetRecordCollection, request, Connection::kShortCall));
  PrintCollection(response.collection(), context.output);
  return kExitDone;
}

Result<int> RunRecordDrop(const CommandContext& context) {
  v1::DropRecordCollectionRequest request;
  request.set_name(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  RETURN_IF_ERROR(
      connection->Unary(&Stub::DropRecordCollection, request, Connection::kLongCall).status());
  if (context.output->json()) {
    context.output->Json({{"dropped", context.options.id}});
  } else {
    context.output->Message("dropped " + Sanitize(context.options.id));
  }
  return kExitDone;
}

Result<int> RunRecordGet(const CommandContext& context) {
  v1::GetRecordsRequest request;
  request.set_collection(context.options.id);
  for (const std::string& id : context.options.ids) request.add_ids(id);
  request.mutable_read()->set_with_vectors(context.options.with_vectors);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::GetRecords, request, Connection::kShortCall));
  if (context.output->json()) {
    Json records = Json::array();
    for (const v1::Record& record : response.records()) records.push_back(RecordJson(record));
    context.output->Json({{"records", records}});
    return kExitDone;
  }
  for (const v1::Record& record : response.records()) context.output->Line(RecordText(record));
  const size_t found = static_cast<size_t>(response.records_size());
  if (found < context.options.ids.size()) {
    context.output->Message(fmt::format("{} of {} records are not there",
                                        context.options.ids.size() - found,
                                        context.options.ids.size()));
  }
  return kExitDone;
}

Result<int> RunRecordDelete(const CommandContext& context) {
  const Options& options = context.options;
  const int selections =
      (options.all ? 1 : 0) + (options.filter.empty() ? 0 : 1) + (options.ids.empty() ? 0 : 1);
  if (selections != 1) {
    context.output->Error(InvalidArgument(Reason::kInvalidArgument,
                                          "give one of the three: ids, --filter TEXT, or --all"));
    return kExitUsage;
  }
  v1::DeleteRecordsRequest request;
  request.set_collection(options.id);
  *request.mutable_selector() = SelectorOf(options);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::DeleteRecords, request, Connection::kLongCall));
  if (context.output->json()) {
    context.output->Json({{"deleted", response.affected()}, {"version", response.version()}});
  } else {
    context.output->Message(fmt::format("deleted {} records", response.affected()));
  }
  return kExitDone;
}

Result<int> RunRecordCount(const CommandContext& context) {
  v1::CountRecordsRequest request;
  request.set_collection(context.options.id);
  request.mutable_filter()->set_expression(context.options.filter);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::CountRecords, request, Connection::kLongCall));
  if (context.output->json()) {
    context.output->Json({{"count", response.count()}});
  } else {
    context.output->Line(std::to_string(response.count()));
  }
  return kExitDone;
}

Result<int> RunRecordSearch(const CommandContext& context) {
  v1::SearchRecordsRequest request;
  request.set_collection(context.options.id);
  ASSIGN_OR_RETURN(*request.mutable_query(), QueryOf(context.options));
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::SearchRecords, request, Connection::kLongCall));
  Output* output = context.output;
  if (!output->json()) {
    if (response.hits().empty()) output->Message("nothing found");
    for (const v1::RecordHit& hit : response.hits()) {
      output->Line(fmt::format("{:.6g}  {}", hit.score(), RecordText(hit.record())));
    }
    return kExitDone;
  }
  Json hits = Json::array();
  for (const v1::RecordHit& hit : response.hits()) {
    Json json = RecordJson(hit.record());
    json["score"] = hit.score();
    if (!request.query().group_by().empty()) json["group"] = hit.group();
    hits.push_back(std::move(json));
  }
  output->Json({{"hits", hits}, {"search_ms", response.search_ms()}});
  return kExitDone;
}

Result<int> RunRecordExport(const CommandContext& context) {
  v1::ScrollRecordsRequest request;
  request.set_collection(context.options.id);
  request.mutable_filter()->set_expression(context.options.filter);
  request.mutable_read()->set_with_vectors(!context.options.without_vectors);
  request.set_page_size(kListPageSize);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  uint64_t written = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const auto page,
                     connection->Unary(&Stub::ScrollRecords, request, Connection::kLongCall));
    std::string lines;
    for (const v1::Record& record : page.records()) lines += RecordText(record) + "\n";
    context.output->Write(lines);
    if (!context.output->ok()) return kExitFailed;
    written += static_cast<uint64_t>(page.records_size());
    context.output->Progress(fmt::format("{} records", written));
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  context.output->Progress("");
  return kExitDone;
}

}  // namespace ragstone::services::cli

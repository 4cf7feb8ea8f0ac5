#include "services/cli/json.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "services/cli/search_mode.h"

namespace ragstone::services::cli {
namespace {

Json TimeJson(int64_t time_ns) { return time_ns == 0 ? Json(nullptr) : Json(FormatTime(time_ns)); }

Json ValueJson(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kStringValue:
      return value.string_value();
    case v1::Value::kIntValue:
      return value.int_value();
    case v1::Value::kDoubleValue:
      return value.double_value();
    case v1::Value::kBoolValue:
      return value.bool_value();
    case v1::Value::kDatetimeNs:
      return FormatTime(value.datetime_ns());
    case v1::Value::kStringList: {
      Json list = Json::array();
      for (const std::string& text : value.string_list().values()) list.push_back(text);
      return list;
    }
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return nullptr;
}

}  // namespace

std::string ErrorReason(const Status& status) {
  if (status.reason() != Reason::kUnspecified) return std::string(ReasonName(status.reason()));
  return std::string(StatusCodeName(status.code()));
}

Json ErrorJson(const Status& status) {
  return {{"code", StatusCodeName(status.code())},
          {"reason", ErrorReason(status)},
          {"message", status.message()}};
}

Json HitJson(const v1::Passage& passage) {
  return {
      {"document", passage.document_id()}, {"path", passage.path()},   {"page", passage.page()},
      {"chunk", passage.chunk()},          {"score", passage.score()}, {"text", passage.text()}};
}

Json HitsJson(const google::protobuf::RepeatedPtrField<v1::Passage>& passages) {
  Json hits = Json::array();
  for (const v1::Passage& passage : passages) hits.push_back(HitJson(passage));
  return hits;
}

Json CitationJson(const v1::Citation& citation) {
  return {{"n", citation.n()},
          {"document", citation.document_id()},
          {"path", citation.path()},
          {"page", citation.page()},
          {"quote", citation.quote()}};
}

Json TimingsJson(const v1::Timings& timings) {
  // Sorted, so that the same call prints its keys in the same order each time.
  const std::map<std::string, double> sorted(timings.ms().begin(), timings.ms().end());
  Json out = Json::object();
  for (const auto& [step, ms] : sorted) out[step] = std::round(ms * 1000) / 1000;
  return out;
}

Json DocumentJson(const v1::Document& document) {
  return {{"id", document.id()},
          {"path", document.path()},
          {"pages", document.pages()},
          {"chunks", document.chunks()},
          {"status", document.status()}};
}

Json DocumentDetailsJson(const v1::Document& document) {
  Json out = DocumentJson(document);
  out["title"] = document.title();
  out["media_type"] = document.media_type();
  out["bytes"] = document.bytes();
  out["sha256"] = document.content_sha256();
  out["created"] = TimeJson(document.created_ns());
  out["updated"] = TimeJson(document.updated_ns());
  Json metadata = Json::object();
  std::map<std::string, Json> sorted;
  for (const auto& [name, value] : document.metadata().entries()) sorted[name] = ValueJson(value);
  for (auto& [name, value] : sorted) metadata[name] = std::move(value);
  out["metadata"] = std::move(metadata);
  Json warnings = Json::array();
  for (const std::string& warning : document.warnings()) warnings.push_back(warning);
  out["warnings"] = std::move(warnings);
  return out;
}

Json CollectionJson(const v1::Collection& collection) {
  const Json cosine =
      collection.has_unrelated_cosine() ? Json(collection.unrelated_cosine()) : Json();
  return {{"name", collection.name()},
          {"documents", collection.documents()},
          {"chunks", collection.chunks()},
          {"embedding_model", collection.embedding_model()},
          {"embedding_fingerprint", collection.embedding_fingerprint()},
          {"dimensions", collection.dimensions()},
          {"index", collection.index()},
          {"language", collection.language()},
          {"default_mode", SearchModeName(collection.default_mode())},
          {"unrelated_cosine", cosine},
          {"created", TimeJson(collection.created_ns())}};
}

Json JobJson(const v1::Job& job) {
  Json out = {{"id", job.id()},
              {"state", JobStateName(job.state())},
              {"stage", job.stage()},
              {"collection", job.collection()},
              {"document", job.document_id()},
              {"path", job.path()},
              {"pages_done", job.pages_done()},
              {"pages_total", job.pages_total()},
              {"chunks_done", job.chunks_done()},
              {"chunks_total", job.chunks_total()},
              {"unchanged", job.unchanged()},
              {"attempts", job.attempts()},
              {"created", TimeJson(job.created_ns())},
              {"updated", TimeJson(job.updated_ns())}};
  out["error"] = job.has_error() ? ErrorJson(JobStatus(job.error())) : Json(nullptr);
  return out;
}

Json ModelJson(const v1::Model& model) {
  return {{"name", model.name()},
          {"kind", model.kind()},
          {"default", model.is_default()},
          {"architecture", model.architecture()},
          {"storage_type", model.storage_type()},
          {"int8", model.int8()},
          {"parameters", model.parameters()},
          {"dimensions", model.dimensions()},
          {"context_tokens", model.context_tokens()},
          {"pooling", model.pooling()},
          {"normalize", model.normalize()},
          {"query_prefix", model.query_prefix()},
          {"document_prefix", model.document_prefix()},
          {"bytes", model.bytes()},
          {"sha256", model.sha256()},
          {"license", model.license()}};
}

std::string JobStateName(v1::JobState state) {
  constexpr std::string_view kPrefix = "JOB_STATE_";
  std::string name = v1::JobState_Name(state);
  if (name.rfind(kPrefix, 0) == 0) name.erase(0, kPrefix.size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name;
}

Status JobStatus(const v1::JobError& error) {
  const bool known = error.code() > 0 && error.code() <= 16;
  return Status(known ? static_cast<StatusCode>(error.code()) : StatusCode::kUnknown,
                ReasonFromName(error.reason()), error.message());
}

}  // namespace ragstone::services::cli

#include "services/pipeline/job_record.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace ragstone::services {

namespace {

using nlohmann::json;

constexpr char kFormat = 1;

json MetadataToJson(const index::Metadata& metadata) {
  json entries = json::object();
  for (const auto& [name, value] : metadata) {
    json& entry = entries[name];
    entry["type"] = value.index();
    std::visit(
        [&entry](const auto& held) {
          using T = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<T, index::Datetime>) {
            entry["value"] = held.ns;
          } else {
            entry["value"] = held;
          }
        },
        value);
  }
  return entries;
}

index::MetadataValue ValueFromJson(const json& entry) {
  const json& value = entry.at("value");
  switch (entry.at("type").get<int>()) {
    case 1:
      return value.get<int64_t>();
    case 2:
      return value.get<double>();
    case 3:
      return value.get<bool>();
    case 4:
      return index::Datetime{value.get<int64_t>()};
    case 5:
      return value.get<std::vector<std::string>>();
    default:
      return value.get<std::string>();
  }
}

// Paths need not be UTF-8, as text in CBOR must be: they are kept as bytes.
json TextToJson(const std::string& text) { return json::binary({text.begin(), text.end()}); }

std::string TextFromJson(const json& value) {
  const auto& bytes = value.get_binary();
  return {bytes.begin(), bytes.end()};
}

std::optional<uint64_t> ParseNumbered(std::string_view text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return std::nullopt;
  text.remove_prefix(prefix.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

JobRecord JobFromJson(const json& row) {
  JobRecord job;
  job.id = row.at("id").get<JobId>();
  job.state = static_cast<JobState>(row.at("state").get<int>());
  job.collection = row.at("collection").get<std::string>();
  job.collection_id = row.at("collection_id").get<index::CollectionId>();
  job.document = row.at("document").get<index::DocumentId>();
  job.source = TextFromJson(row.at("source"));
  job.media_type = row.at("media_type").get<std::string>();
  const std::string blob = TextFromJson(row.at("blob"));
  if (blob.size() == job.blob.bytes.size()) {
    std::copy(blob.begin(), blob.end(), job.blob.bytes.begin());
  }
  job.bytes = row.at("bytes").get<uint64_t>();
  for (const auto& [name, entry] : row.at("metadata").items()) {
    job.metadata.emplace(name, ValueFromJson(entry));
  }
  job.created_ns = row.at("created_ns").get<int64_t>();
  job.updated_ns = row.at("updated_ns").get<int64_t>();
  job.attempts = row.at("attempts").get<uint32_t>();
  job.unchanged = row.at("unchanged").get<bool>();
  job.pages = row.at("pages").get<uint32_t>();
  job.chunks = row.at("chunks").get<uint32_t>();
  if (const auto code = static_cast<StatusCode>(row.at("code").get<int>());
      code != StatusCode::kOk) {
    job.error = Status(code, ReasonFromName(row.at("reason").get<std::string>()),
                       TextFromJson(row.at("message")));
  }
  return job;
}

}  // namespace

std::string EncodeJob(const JobRecord& job) {
  json row;
  row["id"] = job.id;
  row["state"] = static_cast<int>(job.state);
  row["collection"] = job.collection;
  row["collection_id"] = job.collection_id;
  row["document"] = job.document;
  row["source"] = TextToJson(job.source);
  row["media_type"] = job.media_type;
  row["blob"] = TextToJson(std::string(job.blob.View()));
  row["bytes"] = job.bytes;
  row["metadata"] = MetadataToJson(job.metadata);
  row["created_ns"] = job.created_ns;
  row["updated_ns"] = job.updated_ns;
  row["attempts"] = job.attempts;
  row["unchanged"] = job.unchanged;
  row["pages"] = job.pages;
  row["chunks"] = job.chunks;
  row["code"] = static_cast<int>(job.error.code());
  row["reason"] = ReasonName(job.error.reason());
  row["message"] = TextToJson(job.error.message());
  std::string bytes(1, kFormat);
  const std::vector<uint8_t> packed = json::to_cbor(row);
  bytes.append(packed.begin(), packed.end());
  return bytes;
}

Result<JobRecord> DecodeJob(std::string_view bytes) {
  const Status corrupt(StatusCode::kDataLoss, Reason::kDataCorrupt,
                       "a job record is damaged; `ragstone doctor` tells about the data directory");
  if (bytes.empty() || bytes[0] != kFormat) return corrupt;
  bytes.remove_prefix(1);
  try {
    return JobFromJson(json::from_cbor(bytes.begin(), bytes.end()));
  } catch (const json::exception&) {
    return corrupt;
  }
}

std::string JobIdText(JobId id) { return "job-" + std::to_string(id); }

Result<JobId> ParseJobId(std::string_view text) {
  if (const auto number = ParseNumbered(text, "job-")) return *number;
  return NotFound(Reason::kJobNotFound, "no job '" + std::string(text.substr(0, 300)) +
                                            "'; `ragstone job list` shows them");
}

std::string JobKey(JobId id) {
  std::string key(8, '\0');
  for (int i = 0; i < 8; ++i) key[static_cast<size_t>(i)] = static_cast<char>(id >> (56 - 8 * i));
  return key;
}

std::string DocumentIdText(index::DocumentId id) { return "doc-" + std::to_string(id); }

Result<index::DocumentId> ParseDocumentId(std::string_view text) {
  if (const auto number = ParseNumbered(text, "doc-")) return *number;
  return NotFound(Reason::kDocumentNotFound, "no document '" + std::string(text.substr(0, 300)) +
                                                 "'; `ragstone document list` shows them");
}

}  // namespace ragstone::services

#include "services/handlers/convert.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <unicode/utf8.h>

#include <cmath>

#include "services/handlers/records_convert.h"

namespace ragstone::services {

namespace {

constexpr int kEntriesMax = 64;
constexpr size_t kNameBytesMax = 128;
constexpr size_t kValueBytesMax = 4096;

Status BadEntry(const std::string& name, const std::string& why) {
  return InvalidArgument(Reason::kInvalidArgument,
                         "metadata '" + name.substr(0, kNameBytesMax) + "': " + why);
}

Result<index::MetadataValue> FromValue(const std::string& name, const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kStringValue:
      if (value.string_value().size() > kValueBytesMax) {
        return BadEntry(name, "the text is longer than 4096 bytes");
      }
      return index::MetadataValue(value.string_value());
    case v1::Value::kIntValue:
      return index::MetadataValue(static_cast<int64_t>(value.int_value()));
    case v1::Value::kDoubleValue:
      if (std::isnan(value.double_value())) return BadEntry(name, "NaN is not a value");
      return index::MetadataValue(value.double_value());
    case v1::Value::kBoolValue:
      return index::MetadataValue(value.bool_value());
    case v1::Value::kDatetimeNs:
      return index::MetadataValue(index::Datetime{value.datetime_ns()});
    case v1::Value::kStringList: {
      std::vector<std::string> values;
      size_t bytes = 0;
      for (const std::string& text : value.string_list().values()) {
        bytes += text.size();
        values.push_back(text);
      }
      if (bytes > kValueBytesMax) return BadEntry(name, "the list is longer than 4096 bytes");
      return index::MetadataValue(std::move(values));
    }
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return BadEntry(name, "it has no value");
}

void ToValue(const index::MetadataValue& from, v1::Value* to) {
  if (const auto* text = std::get_if<std::string>(&from)) {
    to->set_string_value(*text);
  } else if (const auto* number = std::get_if<int64_t>(&from)) {
    to->set_int_value(*number);
  } else if (const auto* real = std::get_if<double>(&from)) {
    to->set_double_value(*real);
  } else if (const auto* flag = std::get_if<bool>(&from)) {
    to->set_bool_value(*flag);
  } else if (const auto* time = std::get_if<index::Datetime>(&from)) {
    to->set_datetime_ns(time->ns);
  } else if (const auto* list = std::get_if<std::vector<std::string>>(&from)) {
    to->mutable_string_list();  // an empty list is a value too
    for (const std::string& entry : *list) to->mutable_string_list()->add_values(entry);
  }
}

// has_id names documents as everything else does: "doc-12".
Status ReadDocumentIds(index::Filter* filter) {
  for (index::Filter& child : filter->children) RETURN_IF_ERROR(ReadDocumentIds(&child));
  for (index::PointId& id : filter->ids) {
    const auto* text = std::get_if<std::string>(&id);
    if (text == nullptr) continue;
    const auto document = ParseDocumentId(*text);
    if (!document.ok()) {
      return InvalidArgument(Reason::kFilterInvalid,
                             "filter: \"" + ValidUtf8(text->substr(0, 40)) +
                                 "\" is no id of a document; they look like \"doc-12\"");
    }
    id = *document;
  }
  return OkStatus();
}

}  // namespace

Result<index::Metadata> FromMessage(const v1::Metadata& message) {
  if (message.entries_size() > kEntriesMax) {
    return InvalidArgument(
        Reason::kInvalidArgument,
        "metadata has " + std::to_string(message.entries_size()) + " entries, the limit is 64");
  }
  index::Metadata metadata;
  for (const auto& [name, value] : message.entries()) {
    if (name.empty() || name.size() > kNameBytesMax) {
      return BadEntry(name, "a name has 1 to 128 bytes");
    }
    ASSIGN_OR_RETURN(auto converted, FromValue(name, value));
    metadata.emplace(name, std::move(converted));
  }
  return metadata;
}

void ToMessage(const index::Metadata& metadata, v1::Metadata* message) {
  for (const auto& [name, value] : metadata) ToValue(value, &(*message->mutable_entries())[name]);
}

Result<index::Filter> DocumentFilter(const v1::Filter& message) {
  ASSIGN_OR_RETURN(index::Filter filter, FromMessage(message, "filter"));
  RETURN_IF_ERROR(ReadDocumentIds(&filter));
  return filter;
}

Result<index::SearchMode> FromMessage(v1::SearchMode mode, index::SearchMode otherwise) {
  switch (mode) {
    case v1::SEARCH_MODE_UNSPECIFIED:
      return otherwise;
    case v1::SEARCH_MODE_HYBRID:
      return index::SearchMode::kHybrid;
    case v1::SEARCH_MODE_VECTOR:
      return index::SearchMode::kVector;
    case v1::SEARCH_MODE_KEYWORD:
      return index::SearchMode::kKeyword;
    default:
      return InvalidArgument(Reason::kInvalidArgument,
                             "mode " + std::to_string(static_cast<int>(mode)) +
                                 " is unknown; there are hybrid, vector and keyword");
  }
}

v1::SearchMode ToMessage(index::SearchMode mode) {
  switch (mode) {
    case index::SearchMode::kVector:
      return v1::SEARCH_MODE_VECTOR;
    case index::SearchMode::kKeyword:
      return v1::SEARCH_MODE_KEYWORD;
    case index::SearchMode::kHybrid:
      break;
  }
  return v1::SEARCH_MODE_HYBRID;
}

void ToMessage(const index::CollectionInfo& info, v1::Collection* message) {
  message->set_name(info.spec.name);
  message->set_embedding_model(info.spec.embedding_model);
  message->set_embedding_fingerprint(info.spec.fingerprint);
  message->set_dimensions(info.spec.dimensions);
  message->set_documents(info.documents);
  message->set_chunks(info.chunks);
  message->set_created_ns(info.created_ns);
  message->set_index(info.index);
  message->set_language(info.spec.language);
  message->set_default_mode(ToMessage(info.settings.default_mode));
  if (info.settings.unrelated_cosine) {
    message->set_unrelated_cosine(*info.settings.unrelated_cosine);
  }
}

void ToMessage(const index::DocumentInfo& info, bool updating, v1::Document* message) {
  message->set_id(DocumentIdText(info.id));
  message->set_path(ValidUtf8(info.source));
  message->set_content_sha256(info.content.Hex());
  message->set_bytes(info.bytes);
  message->set_media_type(info.media_type);
  message->set_title(ValidUtf8(info.title));
  message->set_pages(info.pages);
  message->set_chunks(info.chunks);
  message->set_status(updating ? "updating" : "ready");
  ToMessage(info.metadata, message->mutable_metadata());
  message->set_created_ns(info.created_ns);
  message->set_updated_ns(info.updated_ns);
  for (const std::string& warning : info.warnings) message->add_warnings(ValidUtf8(warning));
}

void ToMessage(const JobView& view, v1::Job* message) {
  const JobRecord& job = view.record;
  message->set_id(JobIdText(job.id));
  message->set_state(static_cast<v1::JobState>(job.state));
  message->set_collection(job.collection);
  message->set_document_id(DocumentIdText(job.document));
  message->set_path(ValidUtf8(job.source));
  message->set_stage(StageName(view.stage));
  message->set_pages_done(view.pages_done);
  message->set_pages_total(view.pages_total);
  message->set_chunks_done(view.chunks_done);
  message->set_chunks_total(view.chunks_total);
  if (!job.error.ok()) {
    message->mutable_error()->set_code(static_cast<int>(job.error.code()));
    message->mutable_error()->set_reason(std::string(ReasonName(job.error.reason())));
    message->mutable_error()->set_message(ValidUtf8(job.error.message()));
  }
  message->set_created_ns(job.created_ns);
  message->set_updated_ns(job.updated_ns);
  message->set_unchanged(job.unchanged);
  message->set_attempts(job.attempts);
}

void ToMessage(const llm::Manifest& manifest, bool is_default, v1::Model* message) {
  message->set_name(manifest.name);
  message->set_kind(manifest.kind == llm::ModelKind::kEmbedding ? "embedding" : "generator");
  message->set_architecture(manifest.architecture);
  message->set_storage_type(manifest.storage_type);
  message->set_int8(manifest.int8);
  message->set_sha256(manifest.sha256);
  message->set_bytes(manifest.bytes);
  message->set_parameters(manifest.parameters);
  message->set_dimensions(manifest.dimensions);
  message->set_context_tokens(manifest.context_tokens);
  message->set_pooling(manifest.pooling);
  message->set_normalize(manifest.normalize);
  message->set_query_prefix(manifest.query_prefix);
  message->set_document_prefix(manifest.document_prefix);
  message->set_license(manifest.license);
  message->set_is_default(is_default);
}

std::string ValidUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  const auto size = static_cast<int32_t>(bytes.size());
  for (int32_t i = 0; i < size;) {
    const int32_t begin = i;
    UChar32 code_point = 0;
    U8_NEXT(reinterpret_cast<const uint8_t*>(bytes.data()), i, size, code_point);
    if (code_point < 0) {
      text += "\xEF\xBF\xBD";
    } else {
      text += bytes.substr(static_cast<size_t>(begin), static_cast<size_t>(i - begin));
    }
  }
  return text;
}

std::string DeterministicBytes(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    CHECK(message.SerializeToCodedStream(&coded));
  }
  return bytes;
}

Result<size_t> PageSize(uint32_t requested) {
  if (requested > 1000) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "page_size is " + std::to_string(requested) + ", the limit is 1000");
  }
  return requested == 0 ? 100 : requested;
}

std::string MakePageToken(std::string_view list, std::string_view last) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string token(list);
  token += '.';
  for (const char byte : last) {
    token += kDigits[static_cast<uint8_t>(byte) >> 4];
    token += kDigits[static_cast<uint8_t>(byte) & 15];
  }
  return token;
}

Result<std::string> ReadPageToken(std::string_view list, std::string_view token) {
  if (token.empty()) return std::string();
  const Status bad = InvalidArgument(
      Reason::kInvalidPageToken,
      "page_token is not one that this list returned; begin again with an empty one");
  if (token.size() <= list.size() || token.substr(0, list.size()) != list ||
      token[list.size()] != '.') {
    return bad;
  }
  token.remove_prefix(list.size() + 1);
  if (token.empty() || token.size() % 2 != 0) return bad;
  std::string last;
  for (size_t i = 0; i < token.size(); i += 2) {
    int value = 0;
    for (const char digit : token.substr(i, 2)) {
      if (digit >= '0' && digit <= '9') {
        value = value * 16 + (digit - '0');
      } else if (digit >= 'a' && digit <= 'f') {
        value = value * 16 + (digit - 'a' + 10);
      } else {
        return bad;
      }
    }
    last += static_cast<char>(value);
  }
  return last;
}

}  // namespace ragstone::services

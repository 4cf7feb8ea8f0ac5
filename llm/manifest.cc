#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "llm/model_store.h"

namespace ragstone::llm {
namespace {

using Json = nlohmann::json;

constexpr const char* kEmbedding = "embedding";
constexpr const char* kGenerator = "generator";
constexpr int kFormat = 1;

Status Corrupt(const std::string& what) {
  return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                "manifest.json: " + what + "; remove the model and import it again");
}

// Reads the fields of an object; the first wrong one is kept as the status.
class FieldReader {
 public:
  explicit FieldReader(const Json& json) : json_(json) {}

  const Status& status() const { return status_; }

  void Text(const char* key, std::string* value) {
    const Json* field = Find(key);
    if (field == nullptr) return;
    if (!field->is_string()) return Fail(key, "is not a text");
    *value = field->get<std::string>();
  }
  template <typename T>
  void Number(const char* key, T* value) {
    const Json* field = Find(key);
    if (field == nullptr) return;
    if (!field->is_number_unsigned() || field->get<uint64_t>() > std::numeric_limits<T>::max()) {
      return Fail(key, "is not a number that fits");
    }
    *value = static_cast<T>(field->get<uint64_t>());
  }
  void Flag(const char* key, bool* value) {
    const Json* field = Find(key);
    if (field == nullptr) return;
    if (!field->is_boolean()) return Fail(key, "is not true or false");
    *value = field->get<bool>();
  }
  void Texts(const char* key, std::vector<std::string>* values) {
    const Json* field = Find(key);
    if (field == nullptr) return;
    if (!field->is_array()) return Fail(key, "is not a list");
    for (const Json& item : *field) {
      if (!item.is_string()) return Fail(key, "has an item that is not a text");
      values->push_back(item.get<std::string>());
    }
  }
  void Fail(const std::string& key, const std::string& what) {
    if (status_.ok()) status_ = Corrupt("field '" + key + "' " + what);
  }

 private:
  const Json* Find(const char* key) {
    if (!status_.ok()) return nullptr;
    const auto found = json_.find(key);
    if (found == json_.end()) {
      Fail(key, "is missing");
      return nullptr;
    }
    return &*found;
  }

  const Json& json_;
  Status status_;
};

bool IsSha256(const std::string& text) { return Sha256Digest::FromHex(text).ok(); }

// Checks what the types of the fields do not say.
void CheckValues(const Manifest& manifest, const std::string& kind, FieldReader* reader) {
  if (kind != kEmbedding && kind != kGenerator) {
    reader->Fail("kind", "is neither embedding nor generator");
  }
  const bool plain = !manifest.file.empty() && manifest.file.front() != '.' &&
                     manifest.file.find('/') == std::string::npos &&
                     manifest.file.find('\0') == std::string::npos;
  if (!plain) reader->Fail("file", "is not the name of a file in the model's folder");
  if (!IsSha256(manifest.sha256)) reader->Fail("sha256", "is not a SHA-256 in hexadecimal");
  if (!manifest.source_sha256.empty() && !IsSha256(manifest.source_sha256)) {
    reader->Fail("source_sha256", "is not a SHA-256 in hexadecimal");
  }
  if (manifest.context_tokens == 0) reader->Fail("context_tokens", "is 0");
  if (kind != kEmbedding) return;
  if (manifest.dimensions == 0) reader->Fail("dimensions", "is 0");
  if (!IsSha256(manifest.tokenizer_sha256)) {
    reader->Fail("tokenizer_sha256", "is not a SHA-256 in hexadecimal");
  }
  if (manifest.pooling != "mean" && manifest.pooling != "cls" && manifest.pooling != "last") {
    reader->Fail("pooling", "is not one of mean, cls and last");
  }
}

}  // namespace

std::string ManifestToJson(const Manifest& manifest) {
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["name"] = manifest.name;
  json["kind"] = manifest.kind == ModelKind::kEmbedding ? kEmbedding : kGenerator;
  json["architecture"] = manifest.architecture;
  json["storage_type"] = manifest.storage_type;
  json["int8"] = manifest.int8;
  json["file"] = manifest.file;
  json["sha256"] = manifest.sha256;
  json["bytes"] = manifest.bytes;
  json["source_sha256"] = manifest.source_sha256;
  json["parameters"] = manifest.parameters;
  json["dimensions"] = manifest.dimensions;
  json["context_tokens"] = manifest.context_tokens;
  json["pooling"] = manifest.pooling;
  json["normalize"] = manifest.normalize;
  json["query_prefix"] = manifest.query_prefix;
  json["document_prefix"] = manifest.document_prefix;
  json["license"] = manifest.license;
  json["tokenizer_sha256"] = manifest.tokenizer_sha256;
  json["measurements"] = manifest.measurements;
  // Texts come from foreign files: bytes that are no UTF-8 are replaced rather than refused.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<Manifest> ManifestFromJson(std::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return Corrupt("it is not a JSON object");
  FieldReader reader(json);
  uint32_t format = 0;
  reader.Number("format", &format);
  if (reader.status().ok() && format != kFormat) {
    return Corrupt("field 'format' is " + std::to_string(format) + ", this version reads " +
                   std::to_string(kFormat));
  }
  Manifest manifest;
  std::string kind;
  reader.Text("name", &manifest.name);
  reader.Text("kind", &kind);
  reader.Text("architecture", &manifest.architecture);
  reader.Text("storage_type", &manifest.storage_type);
  if (json.contains("int8")) reader.Flag("int8", &manifest.int8);
  reader.Text("file", &manifest.file);
  reader.Text("sha256", &manifest.sha256);
  reader.Number("bytes", &manifest.bytes);
  reader.Text("source_sha256", &manifest.source_sha256);
  reader.Number("parameters", &manifest.parameters);
  reader.Number("dimensions", &manifest.dimensions);
  reader.Number("context_tokens", &manifest.context_tokens);
  reader.Text("pooling", &manifest.pooling);
  reader.Flag("normalize", &manifest.normalize);
  reader.Text("query_prefix", &manifest.query_prefix);
  reader.Text("document_prefix", &manifest.document_prefix);
  reader.Text("license", &manifest.license);
  reader.Text("tokenizer_sha256", &manifest.tokenizer_sha256);
  reader.Texts("measurements", &manifest.measurements);
  manifest.kind = kind == kGenerator ? ModelKind::kGenerator : ModelKind::kEmbedding;
  CheckValues(manifest, kind, &reader);
  if (!reader.status().ok()) return reader.status();
  return manifest;
}

std::string EmbeddingFingerprint(const Manifest& manifest) {
  // Every part that changes vectors, each with its length, so that no two manifests collide.
  std::string parts;
  for (const std::string& part :
       {manifest.sha256, manifest.tokenizer_sha256, manifest.pooling,
        std::string(manifest.normalize ? "1" : "0"), manifest.query_prefix,
        manifest.document_prefix, manifest.storage_type, std::to_string(manifest.dimensions),
        std::to_string(manifest.context_tokens)}) {
    parts += std::to_string(part.size()) + ":" + part + ";";
  }
  // Vectors in floating point differ by rounding only, whatever the machine; those of int8 by more.
  if (manifest.int8) parts += "int8;";
  return Sha256Of(parts).Hex();
}

}  // namespace ragstone::llm

#include "services/cli/record_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <map>

#include "base/clock.h"
#include "index/filter/datetime.h"

namespace ragstone::services::cli {
namespace {

// What the wire's enums are called in JSON, by their numbers; "" cannot be chosen.
constexpr std::array<std::string_view, 5> kMetrics = {"", "inner_product", "cosine", "l2",
                                                      "hamming"};
constexpr std::array<std::string_view, 5> kStorages = {"", "float32", "float16", "int8", "binary"};
constexpr std::array<std::string_view, 6> kMethods = {"", "auto", "exact", "hnsw", "ivf_pq", "lsh"};
constexpr std::array<std::string_view, 7> kTypes = {"",        "keyword",  "integer", "float",
                                                    "boolean", "datetime", "text"};

Status Bad(std::string message) {
  return InvalidArgument(Reason::kInvalidArgument, std::move(message));
}

Result<Json> ParseJson(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Bad("this is not JSON");
  return json;
}

Status CheckKeys(const Json& object, const std::string& place,
                 std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Bad(place + " is not an object in braces");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Bad(fmt::format("{} has the unknown key \"{}\"; known are: {}", place, key,
                             fmt::join(known, ", ")));
    }
  }
  return OkStatus();
}

Status ReadString(const Json& object, const std::string& place, const char* key,
                  std::string* value) {
  const auto found = object.find(key);
  if (found == object.end()) return OkStatus();
  if (!found->is_string()) return Bad(place + "." + key + " is not a text");
  *value = found->get<std::string>();
  return OkStatus();
}

template <typename Number>
Status ReadUnsigned(const Json& object, const std::string& place, const char* key, Number* value) {
  const auto found = object.find(key);
  if (found == object.end()) return OkStatus();
  if (!found->is_number_unsigned() ||
      found->template get<uint64_t>() > std::numeric_limits<Number>::max()) {
    return Bad(place + "." + key + " is not a whole number of at least 0");
  }
  *value = found->template get<Number>();
  return OkStatus();
}

Status ReadBool(const Json& object, const std::string& place, const char* key, bool* value) {
  const auto found = object.find(key);
  if (found == object.end()) return OkStatus();
  if (!found->is_boolean()) return Bad(place + "." + key + " is not true or false");
  *value = found->get<bool>();
  return OkStatus();
}

// Returns the number of the name; 0 if the key is not there.
template <size_t kCount>
Result<int> ReadName(const Json& object, const std::string& place, const char* key,
                     const std::array<std::string_view, kCount>& names) {
  std::string name;
  RETURN_IF_ERROR(ReadString(object, place, key, &name));
  if (!object.contains(key)) return 0;
  const auto found = std::find(names.begin() + 1, names.end(), name);
  if (found != names.end()) return static_cast<int>(found - names.begin());
  return Bad(fmt::format("{}.{} is \"{}\"; possible are: {}", place, key, name,
                         fmt::join(names.begin() + 1, names.end(), ", ")));
}

template <size_t kCount>
std::string_view NameOf(const std::array<std::string_view, kCount>& names, int number) {
  return number >= 0 && number < static_cast<int>(kCount) ? names[static_cast<size_t>(number)]
                                                          : "unknown";
}

Result<v1::VectorField> ReadVectorField(const Json& json, const std::string& place) {
  RETURN_IF_ERROR(CheckKeys(
      json, place, {"name", "dimensions", "metric", "storage", "method", "target_recall"}));
  v1::VectorField field;
  RETURN_IF_ERROR(ReadString(json, place, "name", field.mutable_name()));
  uint32_t dimensions = 0;
  RETURN_IF_ERROR(ReadUnsigned(json, place, "dimensions", &dimensions));
  field.set_dimensions(dimensions);
  ASSIGN_OR_RETURN(const int metric, ReadName(json, place, "metric", kMetrics));
  field.set_metric(static_cast<v1::VectorMetric>(metric));
  ASSIGN_OR_RETURN(const int storage, ReadName(json, place, "storage", kStorages));
  field.set_storage(static_cast<v1::VectorStorage>(storage));
  ASSIGN_OR_RETURN(const int method, ReadName(json, place, "method", kMethods));
  field.set_method(static_cast<v1::VectorMethod>(method));
  if (const auto recall = json.find("target_recall"); recall != json.end()) {
    if (!recall->is_number()) return Bad(place + ".target_recall is not a number");
    field.set_target_recall(recall->get<float>());
  }
  return field;
}

Result<v1::PayloadField> ReadPayloadField(const Json& json, const std::string& place) {
  RETURN_IF_ERROR(CheckKeys(json, place, {"name", "type", "list", "indexed"}));
  v1::PayloadField field;
  RETURN_IF_ERROR(ReadString(json, place, "name", field.mutable_name()));
  ASSIGN_OR_RETURN(const int type, ReadName(json, place, "type", kTypes));
  field.set_type(static_cast<v1::FieldType>(type));
  bool is_list = false, indexed = true;
  RETURN_IF_ERROR(ReadBool(json, place, "list", &is_list));
  RETURN_IF_ERROR(ReadBool(json, place, "indexed", &indexed));
  field.set_is_list(is_list);
  field.set_unindexed(!indexed);
  return field;
}

// Calls `read(element, place)` for each element of the array under the key, if there is one.
template <typename Read>
Status ForEach(const Json& object, const char* key, Read read) {
  const auto found = object.find(key);
  if (found == object.end()) return OkStatus();
  if (!found->is_array()) return Bad(fmt::format("\"{}\" is not a list in brackets", key));
  size_t at = 0;
  for (const Json& element : *found)
    RETURN_IF_ERROR(read(element, fmt::format("{}[{}]", key, at++)));
  return OkStatus();
}

Result<float> ReadFloat(const Json& json, const std::string& place) {
  if (!json.is_number()) return Bad(place + " is not a number");
  return json.get<float>();
}

Result<v1::Vector> ReadDense(const Json& json, const std::string& place) {
  v1::Vector vector;
  auto* values = vector.mutable_dense()->mutable_values();
  values->Reserve(static_cast<int>(std::min<size_t>(json.size(), 8192)));
  for (const Json& number : json) {
    ASSIGN_OR_RETURN(const float value,
                     ReadFloat(number, fmt::format("{}[{}]", place, values->size())));
    values->Add(value);
  }
  return vector;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

Result<v1::Vector> ReadBits(const Json& json, const std::string& place) {
  const std::string hex = json.is_string() ? json.get<std::string>() : "";
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]), low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) break;
    bytes += static_cast<char>(high * 16 + low);
  }
  if (hex.empty() || bytes.size() * 2 != hex.size()) {
    return Bad(place + ".bits is not a text of hexadecimal digits, two for each byte");
  }
  v1::Vector vector;
  vector.set_bits(bytes);
  return vector;
}

Result<v1::Vector> ReadSparse(const Json& json, const std::string& place) {
  v1::Vector vector;
  v1::SparseVector* sparse = vector.mutable_sparse();
  RETURN_IF_ERROR(ForEach(json, "dimensions", [&](const Json& value, const std::string& at) {
    if (!value.is_number_unsigned() ||
        value.get<uint64_t>() > std::numeric_limits<uint32_t>::max()) {
      return Bad(place + "." + at + " is not a whole number of 32 bits");
    }
    sparse->add_dimensions(value.get<uint32_t>());
    return OkStatus();
  }));
  RETURN_IF_ERROR(ForEach(json, "weights", [&](const Json& value, const std::string& at) -> Status {
    ASSIGN_OR_RETURN(const float weight, ReadFloat(value, place + "." + at));
    sparse->add_weights(weight);
    return OkStatus();
  }));
  return vector;
}

Result<v1::Vector> FromJson(const Json& json, const std::string& place) {
  if (json.is_array()) return ReadDense(json, place);
  if (!json.is_object()) {
    return Bad(place + " is neither a list of numbers nor an object of a sparse vector or bits");
  }
  if (json.contains("bits")) {
    RETURN_IF_ERROR(CheckKeys(json, place, {"bits"}));
    return ReadBits(json["bits"], place);
  }
  RETURN_IF_ERROR(CheckKeys(json, place, {"dimensions", "weights"}));
  return ReadSparse(json, place);
}

Status ReadValue(const Json& json, const std::string& place, v1::PayloadValue* value) {
  if (json.is_null()) return OkStatus();
  if (json.is_string()) {
    value->set_string_value(json.get<std::string>());
  } else if (json.is_boolean()) {
    value->set_boolean_value(json.get<bool>());
  } else if (json.is_number_unsigned() &&
             json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Bad(place + " does not fit into 64 bits with a sign");
  } else if (json.is_number_integer()) {
    value->set_integer_value(json.get<int64_t>());
  } else if (json.is_number()) {
    value->set_float_value(json.get<double>());
  } else if (json.is_array()) {
    v1::PayloadList* list = value->mutable_list();
    for (const Json& element : json) {
      const std::string at = fmt::format("{}[{}]", place, list->values_size());
      if (element.is_array()) return Bad(at + " is a list in a list");
      RETURN_IF_ERROR(ReadValue(element, at, list->add_values()));
    }
  } else {
    return Bad(place + " is an object; payloads hold texts, numbers, booleans and lists of them");
  }
  return OkStatus();
}

Json ValueJson(const v1::PayloadValue& value) {
  switch (value.kind_case()) {
    case v1::PayloadValue::kStringValue:
      return value.string_value();
    case v1::PayloadValue::kIntegerValue:
      return value.integer_value();
    case v1::PayloadValue::kFloatValue:
      return value.float_value();
    case v1::PayloadValue::kBooleanValue:
      return value.boolean_value();
    case v1::PayloadValue::kDatetimeNs:
      return index::FormatTime(index::Datetime{value.datetime_ns()});
    case v1::PayloadValue::kList: {
      Json list = Json::array();
      for (const v1::PayloadValue& element : value.list().values()) {
        list.push_back(ValueJson(element));
      }
      return list;
    }
    case v1::PayloadValue::KIND_NOT_SET:
      break;
  }
  return nullptr;
}

Json VectorJson(const v1::Vector& vector) {
  switch (vector.kind_case()) {
    case v1::Vector::kDense: {
      Json list = Json::array();
      for (const float value : vector.dense().values()) list.push_back(value);
      return list;
    }
    case v1::Vector::kBits: {
      std::string hex;
      for (const char byte : vector.bits()) {
        hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
      }
      return {{"bits", hex}};
    }
    case v1::Vector::kSparse: {
      Json dimensions = Json::array(), weights = Json::array();
      for (const uint32_t dimension : vector.sparse().dimensions()) dimensions.push_back(dimension);
      for (const float weight : vector.sparse().weights()) weights.push_back(weight);
      return {{"dimensions", dimensions}, {"weights", weights}};
    }
    case v1::Vector::KIND_NOT_SET:
      break;
  }
  return nullptr;
}

}  // namespace

Result<v1::RecordCollectionSpec> ReadSpecJson(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  RETURN_IF_ERROR(
      CheckKeys(json, "the specification",
                {"name", "vectors", "sparse_vectors", "fields", "language", "history_seconds"}));
  v1::RecordCollectionSpec spec;
  RETURN_IF_ERROR(ReadString(json, "the specification", "name", spec.mutable_name()));
  RETURN_IF_ERROR(ReadString(json, "the specification", "language", spec.mutable_language()));
  uint64_t history_seconds = 0;
  RETURN_IF_ERROR(ReadUnsigned(json, "the specification", "history_seconds", &history_seconds));
  spec.set_history_seconds(history_seconds);
  RETURN_IF_ERROR(
      ForEach(json, "vectors", [&spec](const Json& element, const std::string& place) -> Status {
        ASSIGN_OR_RETURN(*spec.add_vectors(), ReadVectorField(element, place));
        return OkStatus();
      }));
  RETURN_IF_ERROR(
      ForEach(json, "sparse_vectors", [&spec](const Json& element, const std::string& place) {
        if (!element.is_string()) return Bad(place + " is not a name");
        spec.add_sparse_vectors()->set_name(element.get<std::string>());
        return OkStatus();
      }));
  RETURN_IF_ERROR(
      ForEach(json, "fields", [&spec](const Json& element, const std::string& place) -> Status {
        ASSIGN_OR_RETURN(*spec.add_fields(), ReadPayloadField(element, place));
        return OkStatus();
      }));
  return spec;
}

Json RecordCollectionJson(const v1::RecordCollection& collection) {
  const v1::RecordCollectionSpec& spec = collection.spec();
  Json vectors = Json::array(), sparse = Json::array(), fields = Json::array();
  for (const v1::VectorField& field : spec.vectors()) {
    vectors.push_back({{"name", field.name()},
                       {"dimensions", field.dimensions()},
                       {"metric", NameOf(kMetrics, field.metric())},
                       {"storage", NameOf(kStorages, field.storage())},
                       {"method", NameOf(kMethods, field.method())},
                       {"target_recall", field.target_recall()}});
  }
  for (const v1::SparseField& field : spec.sparse_vectors()) sparse.push_back(field.name());
  for (const v1::PayloadField& field : spec.fields()) {
    fields.push_back({{"name", field.name()},
                      {"type", NameOf(kTypes, field.type())},
                      {"list", field.is_list()},
                      {"indexed", !field.unindexed()}});
  }
  Json index = Json::array();
  for (const std::string& line : collection.index()) index.push_back(line);
  return {{"name", spec.name()},
          {"vectors", vectors},
          {"sparse_vectors", sparse},
          {"fields", fields},
          {"language", spec.language()},
          {"history_seconds", spec.history_seconds()},
          {"records", collection.records()},
          {"memory_bytes", collection.memory_bytes()},
          {"index", index},
          {"created", FormatTime(collection.created_ns())}};
}

Result<v1::Record> ReadRecordJson(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  RETURN_IF_ERROR(CheckKeys(json, "the record", {"id", "vector", "vectors", "payload", "version"}));
  v1::Record record;
  RETURN_IF_ERROR(ReadString(json, "the record", "id", record.mutable_id()));
  if (record.id().empty()) return Bad("the record has no id");
  if (json.contains("vector")) {
    ASSIGN_OR_RETURN((*record.mutable_vectors())[""], FromJson(json["vector"], "vector"));
  }
  if (const auto vectors = json.find("vectors"); vectors != json.end()) {
    if (!vectors->is_object()) return Bad("vectors is not an object of vectors by name");
    for (const auto& [name, vector] : vectors->items()) {
      ASSIGN_OR_RETURN((*record.mutable_vectors())[name],
                       FromJson(vector, fmt::format("vectors[\"{}\"]", name)));
    }
  }
  if (const auto payload = json.find("payload"); payload != json.end()) {
    if (!payload->is_object()) return Bad("payload is not an object of values by name");
    for (const auto& [name, value] : payload->items()) {
      RETURN_IF_ERROR(ReadValue(value, fmt::format("payload[\"{}\"]", name),
                                &(*record.mutable_payload())[name]));
    }
  }
  return record;
}

Json RecordJson(const v1::Record& record) {
  Json out = {{"id", record.id()}};
  // Sorted, so that the same record prints its keys in the same order each time.
  std::map<std::string, Json> sorted;
  for (const auto& [name, vector] : record.vectors()) sorted[name] = VectorJson(vector);
  for (auto& [name, vector] : sorted) out["vectors"][name] = std::move(vector);
  sorted.clear();
  for (const auto& [name, value] : record.payload()) sorted[name] = ValueJson(value);
  out["payload"] = Json::object();
  for (auto& [name, value] : sorted) out["payload"][name] = std::move(value);
  out["version"] = record.version();
  return out;
}

Result<v1::Vector> ReadVectorJson(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  return FromJson(json, "the vector");
}

}  // namespace ragstone::services::cli

#include "index/filter/payload.h"

#include <algorithm>
#include <cmath>

#include "index/filter/datetime.h"
#include "index/filter/names.h"

namespace ragstone::index {
namespace {

// Integers of at most this size are exact as doubles.
constexpr int64_t kExactIntegerMax = int64_t{1} << 53;

Status Bad(std::string message) {
  return InvalidArgument(Reason::kInvalidArgument, std::move(message));
}

Status TooLarge(std::string message) {
  return InvalidArgument(Reason::kLimitExceeded, std::move(message));
}

std::string FieldText(const FieldSpec& field) { return "payload field " + Quoted(field.name); }

std::string_view KindName(const Scalar& value) {
  static constexpr std::string_view kNames[] = {"text", "an integer", "a float", "a boolean",
                                                "a datetime"};
  return kNames[value.index()];
}

std::string_view WithArticle(FieldType type) {
  switch (type) {
    case FieldType::kKeyword:
      return "a keyword";
    case FieldType::kInteger:
      return "an integer";
    case FieldType::kFloat:
      return "a float";
    case FieldType::kBoolean:
      return "a boolean";
    case FieldType::kDatetime:
      return "a datetime";
    case FieldType::kText:
      break;
  }
  return "a text";
}

Status CheckString(const FieldSpec& field, const std::string& text) {
  const size_t bytes_max = field.type == FieldType::kText ? kTextBytesMax : kKeywordBytesMax;
  if (text.size() > bytes_max) {
    std::string remedy = field.type == FieldType::kText
                             ? "; split it or store it outside the payload"
                             : "; shorten it or make the field a text";
    return TooLarge(FieldText(field) + " has " + std::to_string(text.size()) + " bytes, a " +
                    std::string(FieldTypeName(field.type)) + " may have " +
                    std::to_string(bytes_max) + remedy);
  }
  if (!IsUtf8(text)) return Bad(FieldText(field) + " is not valid UTF-8; send text as UTF-8");
  return OkStatus();
}

Status Mismatch(const FieldSpec& field, const Scalar& value) {
  std::string got = ScalarText(value);
  if (got.size() > 60) got = "a text of " + std::to_string(got.size()) + " bytes";
  return Bad(FieldText(field) + " is " + std::string(WithArticle(field.type)) + ", got " +
             std::string(KindName(value)) + ": " + got);
}

Status NormalizeDatetime(const FieldSpec& field, Scalar* value) {
  if (const auto* time = std::get_if<Datetime>(value)) {
    return CheckTime(*time).WithContext(FieldText(field));
  }
  const auto* text = std::get_if<std::string>(value);
  if (text == nullptr) return Mismatch(field, *value);
  const Result<ParsedTime> time = ParseTime(*text);
  if (!time.ok()) return time.status().WithContext(FieldText(field));
  *value = time->time;
  return OkStatus();
}

Status NormalizeFloat(const FieldSpec& field, Scalar* value) {
  if (const auto* integer = std::get_if<int64_t>(value)) {
    if (*integer > kExactIntegerMax || *integer < -kExactIntegerMax) {
      return Bad(FieldText(field) + " is a float, and " + std::to_string(*integer) +
                 " has no exact float; make the field an integer");
    }
    *value = static_cast<double>(*integer);
    return OkStatus();
  }
  auto* number = std::get_if<double>(value);
  if (number == nullptr) return Mismatch(field, *value);
  if (!std::isfinite(*number)) {
    return Bad(FieldText(field) + " is " + ScalarText(*value) +
               "; a float must be finite: leave the field out where there is no number");
  }
  if (*number == 0) *number = 0.0;  // one zero, so that equality is identity
  return OkStatus();
}

Status NormalizeScalar(const FieldSpec& field, Scalar* value) {
  switch (field.type) {
    case FieldType::kKeyword:
    case FieldType::kText:
      if (const auto* text = std::get_if<std::string>(value)) return CheckString(field, *text);
      return Mismatch(field, *value);
    case FieldType::kInteger:
      return std::holds_alternative<int64_t>(*value) ? OkStatus() : Mismatch(field, *value);
    case FieldType::kFloat:
      return NormalizeFloat(field, value);
    case FieldType::kBoolean:
      return std::holds_alternative<bool>(*value) ? OkStatus() : Mismatch(field, *value);
    case FieldType::kDatetime:
      break;
  }
  return NormalizeDatetime(field, value);
}

// Moves the single value of a payload entry through a Scalar and back.
Status NormalizeSingle(const FieldSpec& field, PayloadValue* value) {
  Scalar scalar;
  std::visit(
      [&scalar](auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (!std::is_same_v<T, std::monostate> && !std::is_same_v<T, ScalarList>) {
          scalar = std::move(held);
        }
      },
      *value);
  if (field.is_list) {
    return Bad(FieldText(field) + " is a list of " + std::string(FieldTypeName(field.type)) +
               ", got one value: " + ScalarText(scalar) + "; send a list of one");
  }
  RETURN_IF_ERROR(NormalizeScalar(field, &scalar));
  std::visit([value](auto& held) { *value = std::move(held); }, scalar);
  return OkStatus();
}

Status NormalizeList(const FieldSpec& field, ScalarList* list) {
  if (!field.is_list) {
    return Bad(FieldText(field) + " is one " + std::string(FieldTypeName(field.type)) +
               ", got a list of " + std::to_string(list->size()) +
               "; send one value or make the field a list");
  }
  if (list->size() > kListElementsMax) {
    return TooLarge(FieldText(field) + " has " + std::to_string(list->size()) +
                    " elements, a list may have " + std::to_string(kListElementsMax));
  }
  for (Scalar& element : *list) RETURN_IF_ERROR(NormalizeScalar(field, &element));
  return OkStatus();
}

size_t ScalarBytes(const Scalar& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? text->size() : sizeof(int64_t);
}

size_t ValueBytes(const PayloadValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  const auto* list = std::get_if<ScalarList>(&value);
  if (list == nullptr) return sizeof(int64_t);
  size_t bytes = 0;
  for (const Scalar& element : *list) bytes += ScalarBytes(element);
  return bytes;
}

Status CheckName(const std::string& name) {
  if (name.empty() || name.size() > kFieldNameBytesMax) {
    return Bad("a field name has 1 to " + std::to_string(kFieldNameBytesMax) + " bytes, " +
               Quoted(name) + " has " + std::to_string(name.size()));
  }
  if (!IsUtf8(name)) return Bad("a field name must be valid UTF-8");
  for (const char c : name) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F || c == '`') {
      return Bad("field name " + Quoted(name) +
                 " holds a control character or a backtick; take it out");
    }
  }
  return OkStatus();
}

}  // namespace

std::string_view FieldTypeName(FieldType type) {
  static constexpr std::string_view kNames[] = {"",        "keyword",  "integer", "float",
                                                "boolean", "datetime", "text"};
  return kNames[static_cast<size_t>(type)];
}

Result<Schema> Schema::Create(std::vector<FieldSpec> fields) {
  if (fields.size() > kSchemaFieldsMax) {
    return TooLarge("a collection has at most " + std::to_string(kSchemaFieldsMax) +
                    " payload fields, got " + std::to_string(fields.size()));
  }
  for (const FieldSpec& field : fields) RETURN_IF_ERROR(CheckName(field.name));
  std::sort(fields.begin(), fields.end(),
            [](const FieldSpec& a, const FieldSpec& b) { return a.name < b.name; });
  for (size_t i = 1; i < fields.size(); ++i) {
    if (fields[i].name == fields[i - 1].name) {
      return Bad("payload field " + Quoted(fields[i].name) + " is declared twice");
    }
  }
  Schema schema;
  schema.fields_ = std::move(fields);
  return schema;
}

const FieldSpec* Schema::Find(std::string_view name) const {
  const auto at = std::lower_bound(
      fields_.begin(), fields_.end(), name,
      [](const FieldSpec& field, std::string_view wanted) { return field.name < wanted; });
  return at != fields_.end() && at->name == name ? &*at : nullptr;
}

std::vector<std::string_view> Schema::Names() const {
  std::vector<std::string_view> names;
  names.reserve(fields_.size());
  for (const FieldSpec& field : fields_) names.push_back(field.name);
  return names;
}

Status NormalizePayload(const Schema& schema, Payload* payload) {
  size_t bytes = 0;
  for (auto& [name, value] : *payload) {
    const FieldSpec* field = schema.Find(name);
    if (field == nullptr) {
      return Bad("the collection has no payload field " + Quoted(name) +
                 NameHint(name, schema.Names()));
    }
    bytes += name.size() + ValueBytes(value);
    if (std::holds_alternative<std::monostate>(value)) continue;
    if (auto* list = std::get_if<ScalarList>(&value)) {
      RETURN_IF_ERROR(NormalizeList(*field, list));
    } else {
      RETURN_IF_ERROR(NormalizeSingle(*field, &value));
    }
  }
  if (bytes > kPayloadBytesMax) {
    return TooLarge("the payload has " + std::to_string(bytes) + " bytes, a record may have " +
                    std::to_string(kPayloadBytesMax) + "; store large texts outside the payload");
  }
  return OkStatus();
}

}  // namespace ragstone::index

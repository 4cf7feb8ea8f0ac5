#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "index/types.h"

namespace ragstone::index {

// What a payload field holds. The numbers are stored: never change one.
enum class FieldType : uint8_t {
  kKeyword = 1,   // UTF-8, compared as a whole
  kInteger = 2,   // 64 bits, signed
  kFloat = 3,     // IEEE 754 double, finite
  kBoolean = 4,   // true or false
  kDatetime = 5,  // nanoseconds since 1970 UTC
  kText = 6,      // UTF-8, searched for words
};

// Returns "keyword", "integer", "float", "boolean", "datetime" or "text".
std::string_view FieldTypeName(FieldType type);

// One value. Keywords and texts are both strings.
using Scalar = std::variant<std::string, int64_t, double, bool, Datetime>;
using ScalarList = std::vector<Scalar>;
// What a field of a record holds; std::monostate is null, which means the same as no field at all.
using PayloadValue =
    std::variant<std::monostate, std::string, int64_t, double, bool, Datetime, ScalarList>;
using Payload = std::map<std::string, PayloadValue, std::less<>>;

// The value as filters write it, for messages: 2020, "en", true.
std::string ScalarText(const Scalar& value);

// Limits of one record. They bound what one row may cost, not what is sensible.
inline constexpr size_t kFieldNameBytesMax = 128;
inline constexpr size_t kSchemaFieldsMax = 256;
inline constexpr size_t kKeywordBytesMax = 4096;
inline constexpr size_t kTextBytesMax = 256 << 10;
inline constexpr size_t kListElementsMax = 4096;
inline constexpr size_t kPayloadBytesMax = 1 << 20;

// A field of a collection. A record holds at most one value of it, or, with is_list, a list.
struct FieldSpec {
  std::string name;  // 1 to 128 bytes of UTF-8 without control characters and backticks
  FieldType type = FieldType::kKeyword;
  bool is_list = false;
  bool indexed = true;  // filters find rows without reading payloads
  bool operator==(const FieldSpec&) const = default;
};

// The fields of a collection, by name. Immutable.
class Schema {
 public:
  Schema() = default;
  // INVALID_ARGUMENT for a bad or repeated name, or more than kSchemaFieldsMax fields.
  static Result<Schema> Create(std::vector<FieldSpec> fields);

  // nullptr if there is no such field.
  const FieldSpec* Find(std::string_view name) const;
  const std::vector<FieldSpec>& fields() const { return fields_; }  // ordered by name
  std::vector<std::string_view> Names() const;
  bool operator==(const Schema&) const = default;

 private:
  std::vector<FieldSpec> fields_;
};

// Checks a payload against the schema and brings it to the form that filters expect: an integer in
// a float field becomes a float, an RFC 3339 text in a datetime field a datetime, -0.0 becomes 0.0.
// INVALID_ARGUMENT names the field, what it is, what was given and the remedy; LIMIT_EXCEEDED is
// the reason if a limit was passed. On failure the payload may be partly converted.
Status NormalizePayload(const Schema& schema, Payload* payload);

// Bytes of docs/FORMAT.md. Decoders return DATA_LOSS (DATA_CORRUPT) for bytes that no encoder
// wrote.
std::string EncodePayload(const Payload& payload);
Result<Payload> DecodePayload(std::string_view bytes);
std::string EncodeSchema(const Schema& schema);
Result<Schema> DecodeSchema(std::string_view bytes);

}  // namespace ragstone::index

// The binary forms of payloads and schemas.
#include <cmath>

#include "index/filter/payload.h"
#include "index/internal/coding.h"

namespace ragstone::index {
namespace {

// The first byte of both; a later layout takes the next number.
constexpr uint8_t kFormat = 1;

enum ValueType : uint8_t {
  kNull = 0,
  kString = 1,
  kInteger = 2,
  kDouble = 3,
  kBool = 4,
  kTime = 5,
  kList = 6
};

enum FieldFlags : uint8_t { kIsList = 1, kIndexed = 2 };

struct ValueEncoder {
  Encoder* out;
  void operator()(std::monostate) const { out->U8(kNull); }
  void operator()(const std::string& value) const {
    out->U8(kString);
    out->String(value);
  }
  void operator()(int64_t value) const {
    out->U8(kInteger);
    out->SignedVarint(value);
  }
  void operator()(double value) const {
    out->U8(kDouble);
    out->F64(value);
  }
  void operator()(bool value) const {
    out->U8(kBool);
    out->U8(value ? 1 : 0);
  }
  void operator()(Datetime value) const {
    out->U8(kTime);
    out->SignedVarint(value.ns);
  }
  void operator()(const ScalarList& list) const {
    out->U8(kList);
    out->Varint(list.size());
    for (const Scalar& element : list) std::visit(*this, element);
  }
};

// Reads a value after its type byte; fails the decoder for null, lists and unknown types.
Scalar DecodeScalar(uint8_t type, Decoder* in) {
  switch (type) {
    case kString:
      return std::string(in->String());
    case kInteger:
      return in->SignedVarint();
    case kDouble: {
      const double number = in->F64();
      if (!std::isfinite(number)) in->Fail();
      return number;
    }
    case kBool: {
      const uint8_t value = in->U8();
      if (value > 1) in->Fail();
      return value == 1;
    }
    case kTime:
      return Datetime{in->SignedVarint()};
    default:
      in->Fail();
      return false;
  }
}

PayloadValue DecodeValue(Decoder* in) {
  const uint8_t type = in->U8();
  if (type == kNull) return std::monostate();
  if (type == kList) {
    ScalarList list(in->Count(2));
    for (Scalar& element : list) {
      element = DecodeScalar(in->U8(), in);
      if (!in->ok()) return std::monostate();
    }
    return list;
  }
  return std::visit([](auto&& held) -> PayloadValue { return std::move(held); },
                    DecodeScalar(type, in));
}

Status Damaged(std::string_view what) {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the stored " + std::string(what) +
                    " is damaged; restore the collection from a backup or write the record again");
}

}  // namespace

std::string EncodePayload(const Payload& payload) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.Varint(payload.size());
  for (const auto& [name, value] : payload) {
    out.String(name);
    std::visit(ValueEncoder{&out}, value);
  }
  return bytes;
}

Result<Payload> DecodePayload(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  const size_t count = in.Count(2);
  Payload payload;
  for (size_t i = 0; i < count && in.ok(); ++i) {
    std::string name(in.String());
    // Fields are written in order: anything else was never written by EncodePayload.
    if (!payload.empty() && name <= payload.rbegin()->first) in.Fail();
    payload.emplace_hint(payload.end(), std::move(name), DecodeValue(&in));
  }
  if (!in.done()) return Damaged("payload");
  return payload;
}

std::string EncodeSchema(const Schema& schema) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.Varint(schema.fields().size());
  for (const FieldSpec& field : schema.fields()) {
    out.String(field.name);
    out.U8(static_cast<uint8_t>(field.type));
    out.U8(static_cast<uint8_t>((field.is_list ? kIsList : 0) | (field.indexed ? kIndexed : 0)));
  }
  return bytes;
}

Result<Schema> DecodeSchema(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  std::vector<FieldSpec> fields(in.Count(3));
  for (FieldSpec& field : fields) {
    field.name = in.String();
    const uint8_t type = in.U8();
    const uint8_t flags = in.U8();
    if (type < 1 || type > static_cast<uint8_t>(FieldType::kText) || flags > 3) in.Fail();
    if (!in.ok()) return Damaged("schema");
    field.type = static_cast<FieldType>(type);
    field.is_list = (flags & kIsList) != 0;
    field.indexed = (flags & kIndexed) != 0;
  }
  if (!in.done()) return Damaged("schema");
  Result<Schema> schema = Schema::Create(std::move(fields));
  if (!schema.ok()) return Damaged("schema");
  return schema;
}

}  // namespace ragstone::index

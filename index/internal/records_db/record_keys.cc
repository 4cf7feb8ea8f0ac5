#include "index/internal/records_db/record_keys.h"

#include "index/internal/coding.h"
#include "index/internal/keys.h"

namespace ragstone::index::records {
namespace {

// In ids of keys a zero byte is followed by kEscaped; kEnd ends the id, before all that goes on.
constexpr char kEscaped = '\xff';
constexpr char kEnd = '\x01';

constexpr uint8_t kById = 0;
constexpr uint8_t kByTime = 1;

std::string MetaKey(std::string_view prefix, CollectionId collection) {
  return std::string(prefix) + CollectionKey(collection);
}

}  // namespace

std::string SpecKey(CollectionId collection) { return MetaKey(kSpecPrefix, collection); }
std::string StateKey(CollectionId collection) { return MetaKey("record-state/", collection); }
std::string HorizonKey(CollectionId collection) { return MetaKey("record-horizon/", collection); }
std::string DropKey(CollectionId collection) { return MetaKey(kDropPrefix, collection); }
std::string ManifestKey(CollectionId collection) { return MetaKey("record-indexes/", collection); }
std::string SweptPrefix(CollectionId collection) { return MetaKey("record-swept/", collection); }
std::string SweptKey(CollectionId collection, SequenceNumber version) {
  std::string key = SweptPrefix(collection);
  Encoder(&key).U64(version);
  return key;
}
std::string NameKey(std::string_view name) { return "record-name/" + std::string(name); }

std::string RowKey(CollectionId collection, RowId row) { return DocumentKey(collection, row); }

Result<RowId> DecodeRowKey(std::string_view key) {
  Decoder in(key);
  in.U32();
  const RowId row = in.U64();
  if (!in.done()) return Corrupt("key of a record");
  return row;
}

std::string IdPrefix(CollectionId collection, std::string_view id) {
  std::string key = CollectionKey(collection);
  for (const char byte : id) {
    key.push_back(byte);
    if (byte == '\0') key.push_back(kEscaped);
  }
  key.push_back('\0');
  key.push_back(kEnd);
  return key;
}

std::string IdKey(CollectionId collection, std::string_view id, SequenceNumber version) {
  std::string key = IdPrefix(collection, id);
  Encoder(&key).U64(~version);
  return key;
}

Result<IdKeyParts> DecodeIdKey(std::string_view key) {
  constexpr size_t kCollectionBytes = 4;
  constexpr size_t kTailBytes = 2 + 8;  // the id's end and the version
  if (key.size() < kCollectionBytes + kTailBytes) return Corrupt("key of a record's id");
  IdKeyParts parts;
  const std::string_view id =
      key.substr(kCollectionBytes, key.size() - kCollectionBytes - kTailBytes);
  for (size_t i = 0; i < id.size(); ++i) {
    parts.id.push_back(id[i]);
    if (id[i] == '\0') ++i;
  }
  parts.version = ~Decoder(key.substr(key.size() - 8)).U64();
  return parts;
}

std::string GoneKey(CollectionId collection, SequenceNumber gone_at, RowId row) {
  return VersionKey(collection, gone_at, row);
}

Result<GoneKeyParts> DecodeGoneKey(std::string_view key) {
  Decoder in(key);
  in.U32();
  GoneKeyParts parts;
  parts.gone_at = in.U64();
  parts.row = in.U64();
  if (!in.done()) return Corrupt("key of a superseded record");
  return parts;
}

std::string RequestKey(CollectionId collection, std::string_view request_id) {
  std::string key = CollectionKey(collection);
  Encoder out(&key);
  out.U8(kById);
  out.Bytes(request_id);
  return key;
}

std::string RequestTimePrefix(CollectionId collection) {
  std::string key = CollectionKey(collection);
  Encoder(&key).U8(kByTime);
  return key;
}

std::string RequestTimeKey(CollectionId collection, int64_t time_ns, std::string_view request_id) {
  std::string key = RequestTimePrefix(collection);
  Encoder out(&key);
  out.U64(static_cast<uint64_t>(time_ns));
  out.Bytes(request_id);
  return key;
}

Result<RequestTimeParts> DecodeRequestTimeKey(std::string_view key) {
  Decoder in(key);
  in.U32();
  in.U8();
  RequestTimeParts parts;
  parts.time_ns = static_cast<int64_t>(in.U64());
  parts.request_id = in.Bytes(in.remaining());
  if (!in.ok()) return Corrupt("key of a request");
  return parts;
}

}  // namespace ragstone::index::records

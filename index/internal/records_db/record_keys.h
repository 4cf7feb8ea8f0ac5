#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "index/types.h"

// The keys of record collections, as docs/FORMAT.md describes them. Numbers are big-endian, so that
// byte order is number order.
namespace ragstone::index::records {

using RowId = uint64_t;  // of one version of a record, within its collection; never reused
inline constexpr RowId kNoRow = 0;

// Keys of Family::kMeta.
inline constexpr std::string_view kSpecPrefix = "record-collection/";
inline constexpr std::string_view kDropPrefix = "record-drop/";
std::string SpecKey(CollectionId collection);
std::string StateKey(CollectionId collection);
std::string HorizonKey(CollectionId collection);
std::string DropKey(CollectionId collection);
std::string NameKey(std::string_view name);
// Which index files count, and rows that were removed since those were written, by the version up
// to which.
std::string ManifestKey(CollectionId collection);
std::string SweptPrefix(CollectionId collection);
std::string SweptKey(CollectionId collection, SequenceNumber version);

// Family::kRecord.
std::string RowKey(CollectionId collection, RowId row);
Result<RowId> DecodeRowKey(std::string_view key);

// Family::kRecordId: what an id stands for, the newest version first. In keys ids keep their order
// and none is the beginning of another.
std::string IdPrefix(CollectionId collection, std::string_view id);
std::string IdKey(CollectionId collection, std::string_view id, SequenceNumber version);
struct IdKeyParts {
  std::string id;
  SequenceNumber version = 0;
};
Result<IdKeyParts> DecodeIdKey(std::string_view key);

// Family::kRecordGone: rows by the version that superseded them.
std::string GoneKey(CollectionId collection, SequenceNumber gone_at, RowId row);
struct GoneKeyParts {
  SequenceNumber gone_at = 0;
  RowId row = kNoRow;
};
Result<GoneKeyParts> DecodeGoneKey(std::string_view key);

// Family::kRecordRequest: outcomes by request id, and the ids by their time.
std::string RequestKey(CollectionId collection, std::string_view request_id);
std::string RequestTimePrefix(CollectionId collection);
std::string RequestTimeKey(CollectionId collection, int64_t time_ns, std::string_view request_id);
struct RequestTimeParts {
  int64_t time_ns = 0;
  std::string_view request_id;
};
Result<RequestTimeParts> DecodeRequestTimeKey(std::string_view key);

}  // namespace ragstone::index::records

#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "index/record_database.h"
#include "ragstone/v1/types.pb.h"
#include "ragstone/v1/vector.pb.h"

namespace ragstone::services {

// Between the messages of VectorService and the types of the vector database. What cannot be said
// in those types is refused here, with the place in the request, such as
// `records[3].vectors["title"]`: INVALID_ARGUMENT, with the reason LIMIT_EXCEEDED beyond a limit of
// requests. All else, limits of records and searches among it, is the database's to check.

// Limits of requests that are not those of index/record_database.h.
inline constexpr size_t kQueriesMax = 1000;
inline constexpr size_t kBatchHitsMax = 100'000;

Status CheckRequestId(const std::string& id);

Result<index::RecordCollectionSpec> FromMessage(const v1::RecordCollectionSpec& message);
void ToMessage(const index::RecordCollectionInfo& info, v1::RecordCollection* message);

// `place` is where the value stands in the request, for messages.
Result<index::Vector> FromMessage(const v1::Vector& message, const std::string& place);
Result<index::PayloadValue> FromMessage(const v1::PayloadValue& message, const std::string& place);
Result<index::Payload> FromMessage(const google::protobuf::Map<std::string, v1::PayloadValue>& map,
                                   const std::string& place);
Result<index::Record> FromMessage(const v1::Record& message, const std::string& place);
void ToMessage(const index::Record& record, v1::Record* message);
void ToMessage(const index::RecordHit& hit, v1::RecordHit* message);

// The records of a write.
Result<std::vector<index::Record>> FromMessage(
    const google::protobuf::RepeatedPtrField<v1::Record>& records);
index::WriteOptions MakeWriteOptions(const std::string& request_id,
                                     const google::protobuf::RepeatedField<uint64_t>& versions);

// INVALID_ARGUMENT (FILTER_INVALID) for what is malformed.
Result<index::Filter> FromMessage(const v1::Filter& message, const std::string& place);
Result<index::RecordSelector> FromMessage(const v1::RecordSelector& message);
// INVALID_ARGUMENT if there are none.
Result<std::vector<std::string>> CheckIds(
    const google::protobuf::RepeatedPtrField<std::string>& ids, const std::string& place);
index::ReadOptions FromMessage(const v1::RecordReadOptions& message);
Result<index::RecordSearch> FromMessage(const v1::RecordQuery& message, const std::string& place);
Result<std::vector<index::RecordSearch>> FromMessage(
    const google::protobuf::RepeatedPtrField<v1::RecordQuery>& queries);
Result<index::RecommendSearch> FromMessage(const v1::RecommendRecordsRequest& message);

}  // namespace ragstone::services

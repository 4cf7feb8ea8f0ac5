#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "ragstone/v1/vector.pb.h"
#include "services/cli/json.h"

namespace ragstone::services::cli {

// Records and their collections as JSON, both ways. What is read is checked for its form only; the
// server checks the rest. INVALID_ARGUMENT names the key.

// {"name","vectors":[{"name","dimensions","metric","storage","method","target_recall"}],
//  "sparse_vectors":["words"],"fields":[{"name","type","list","indexed"}],"language",
//  "history_seconds"}; all but the name and what a vector or field needs may be left out.
Result<v1::RecordCollectionSpec> ReadSpecJson(std::string_view text);
// The same with "records", "memory_bytes", "index" and "created" added.
Json RecordCollectionJson(const v1::RecordCollection& collection);

// {"id","vectors":{name: vector},"payload":{name: value},"version"}; "vector" is short for the
// vector whose name is empty. Times are RFC 3339 texts.
Result<v1::Record> ReadRecordJson(std::string_view text);
Json RecordJson(const v1::Record& record);

// [0.1, 0.2], {"dimensions":[3,9],"weights":[0.5,1]} or {"bits":"0f3a"} (hexadecimal, byte by
// byte).
Result<v1::Vector> ReadVectorJson(std::string_view text);

}  // namespace ragstone::services::cli

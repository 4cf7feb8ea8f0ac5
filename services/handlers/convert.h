#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "index/filter/filter.h"
#include "index/types.h"
#include "llm/model_store.h"
#include "ragstone/v1/collection.pb.h"
#include "ragstone/v1/document.pb.h"
#include "ragstone/v1/job.pb.h"
#include "ragstone/v1/model.pb.h"
#include "ragstone/v1/types.pb.h"
#include "services/pipeline/job_runner.h"

namespace ragstone::services {

// Between the wire's messages and our own types. Generated types stop here.

// INVALID_ARGUMENT for more than 64 entries, names or values that are too long, NaN, no value.
Result<index::Metadata> FromMessage(const v1::Metadata& message);
void ToMessage(const index::Metadata& metadata, v1::Metadata* message);

// A filter on documents, with their ids as the database knows them. INVALID_ARGUMENT
// (FILTER_INVALID, LIMIT_EXCEEDED).
Result<index::Filter> DocumentFilter(const v1::Filter& message);

// SEARCH_MODE_UNSPECIFIED gives `otherwise`. INVALID_ARGUMENT for an unknown mode.
Result<index::SearchMode> FromMessage(v1::SearchMode mode, index::SearchMode otherwise);
v1::SearchMode ToMessage(index::SearchMode mode);

void ToMessage(const index::CollectionInfo& info, v1::Collection* message);
void ToMessage(const index::DocumentInfo& info, bool updating, v1::Document* message);
void ToMessage(const JobView& view, v1::Job* message);
void ToMessage(const llm::Manifest& manifest, bool is_default, v1::Model* message);

// Replaces bytes that are not UTF-8 by U+FFFD: proto strings must be UTF-8, paths need not be.
std::string ValidUtf8(std::string_view bytes);

// The message's bytes, the same for equal messages (maps are sorted).
std::string DeterministicBytes(const google::protobuf::MessageLite& message);

// Size of a page of a list: 0 means 100; INVALID_ARGUMENT above 1000.
Result<size_t> PageSize(uint32_t requested);

// Page tokens are opaque to clients: the kind of the list and the last key. INVALID_ARGUMENT
// (INVALID_PAGE_TOKEN) for anything that the same list did not return.
std::string MakePageToken(std::string_view list, std::string_view last);
Result<std::string> ReadPageToken(std::string_view list, std::string_view token);

}  // namespace ragstone::services

#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"
#include "ragstone/v1/answer.pb.h"
#include "ragstone/v1/collection.pb.h"
#include "ragstone/v1/document.pb.h"
#include "ragstone/v1/job.pb.h"
#include "ragstone/v1/model.pb.h"
#include "ragstone/v1/types.pb.h"

namespace ragstone::services::cli {

// What `--json` prints. Keys are stable: scripts depend on them. Keys keep their order.
using Json = nlohmann::ordered_json;

// The wire name of the reason; errors without one (from outside Ragstone) go by their code.
std::string ErrorReason(const Status& status);

// {"code","reason","message"}
Json ErrorJson(const Status& status);

// {"document","path","page","chunk","score","text"}
Json HitJson(const v1::Passage& passage);
Json HitsJson(const google::protobuf::RepeatedPtrField<v1::Passage>& passages);

// {"n","document","path","page","quote"}
Json CitationJson(const v1::Citation& citation);

// {"embed":0.5,…}, rounded to microseconds.
Json TimingsJson(const v1::Timings& timings);

// {"id","path","pages","chunks","status"}
Json DocumentJson(const v1::Document& document);
// All that is known of a document.
Json DocumentDetailsJson(const v1::Document& document);

Json CollectionJson(const v1::Collection& collection);
Json JobJson(const v1::Job& job);
Json ModelJson(const v1::Model& model);

// "queued", "running", "succeeded", "failed", "cancelled".
std::string JobStateName(v1::JobState state);

// A job's error as a Status.
Status JobStatus(const v1::JobError& error);

}  // namespace ragstone::services::cli

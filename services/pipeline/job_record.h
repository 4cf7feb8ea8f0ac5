#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"
#include "index/types.h"

namespace ragstone::services {

using JobId = uint64_t;

// Numbers are those of ragstone.v1.JobState.
enum class JobState : uint8_t {
  kQueued = 1,
  kRunning = 2,
  kSucceeded = 3,
  kFailed = 4,
  kCancelled = 5,
};

inline bool IsFinished(JobState state) { return state >= JobState::kSucceeded; }

// A job as it is kept on disk: the adding of one document.
struct JobRecord {
  JobId id = 0;
  JobState state = JobState::kQueued;
  std::string collection;
  index::CollectionId collection_id = 0;
  index::DocumentId document = 0;
  std::string source;
  std::string media_type;  // as the client gave it; may be empty
  Sha256Digest blob;
  uint64_t bytes = 0;
  index::Metadata metadata;
  int64_t created_ns = 0;
  int64_t updated_ns = 0;
  uint32_t attempts = 0;
  bool unchanged = false;
  uint32_t pages = 0;
  uint32_t chunks = 0;
  Status error;
};

std::string EncodeJob(const JobRecord& job);
// DATA_LOSS (DATA_CORRUPT) if the bytes are not a job.
Result<JobRecord> DecodeJob(std::string_view bytes);

// "job-12" and back; NOT_FOUND (JOB_NOT_FOUND) for anything else.
std::string JobIdText(JobId id);
Result<JobId> ParseJobId(std::string_view text);

// The key of a job in its table: 8 bytes, big-endian.
std::string JobKey(JobId id);

// "doc-12" and back; NOT_FOUND (DOCUMENT_NOT_FOUND) for anything else.
std::string DocumentIdText(index::DocumentId id);
Result<index::DocumentId> ParseDocumentId(std::string_view text);

}  // namespace ragstone::services

#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/call_context.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/blob_store.h"
#include "index/database.h"
#include "services/pipeline/ingest_pipeline.h"
#include "services/pipeline/job_record.h"

namespace ragstone::services {

// A job as it is now: what is on disk and how far it is.
struct JobView {
  JobRecord record;
  IngestProgress::Stage stage = IngestProgress::Stage::kQueued;
  uint32_t pages_done = 0, pages_total = 0, chunks_done = 0, chunks_total = 0;
};

// Keeps jobs on disk, runs them in order of submission (those of one document one after the other)
// and resumes them after a restart. Thread-safe.
class JobRunner {
 public:
  struct Options {
    uint32_t parallel = 2;          // documents worked on at a time: one parses while one embeds
    uint32_t queued_max = 100'000;  // jobs that have not ended
    uint32_t kept_max = 10'000;     // ended jobs that can still be looked up
    bool keep_originals = false;
  };
  // All must outlive the runner.
  struct Parts {
    const Clock* clock = nullptr;
    index::Database* database = nullptr;
    index::BlobStore* blobs = nullptr;
    IngestPipeline* pipeline = nullptr;
  };

  JobRunner(const Parts& parts, const Options& options);
  ~JobRunner();  // as Shutdown

  // Reads the jobs that have not ended and starts working.
  Status Start();

  // Gives the job an id and its document one (that of a queued job of the same source, if there
  // is), and writes it with `also`: durable when it returns. RESOURCE_EXHAUSTED (QUEUE_FULL).
  // If the newest job of the source that has not ended would do the very same, that one is
  // returned instead. `also` is called with the job as it is written or found.
  Result<JobRecord> Submit(JobRecord job,
                           const std::function<Status(const JobRecord&, index::Batch*)>& also);

  // NOT_FOUND (JOB_NOT_FOUND).
  Result<JobView> Get(JobId id) const;
  // Jobs with ids below `before` (0: all), newest first, at most `limit`.
  Result<std::vector<JobView>> List(JobId before, size_t limit, bool active_only) const;
  // Waits until any job changed state, at most until `until`.
  void WaitForChange(std::chrono::steady_clock::time_point until) const;
  // FAILED_PRECONDITION (JOB_FINISHED).
  Result<JobView> Cancel(JobId id);
  // Whether a job of this document waits or runs.
  bool HasActive(index::DocumentId document) const;
  size_t active() const;

  // Interrupts what runs; it is resumed by the next Start.
  void Shutdown();

 private:
  struct Active {
    JobRecord record;
    IngestProgress progress;
    std::shared_ptr<CancelFlag> cancel = std::make_shared<CancelFlag>();
    bool running = false;
    bool cancelled_by_user = false;
  };

  void Work();
  // The newest job of the same source that has not ended, or none.
  std::shared_ptr<Active> NewestOfSourceLocked(const JobRecord& job) const REQUIRES(mutex_);
  std::shared_ptr<Active> NextLocked() REQUIRES(mutex_);
  void RunOne(const std::shared_ptr<Active>& active);
  Status Begin(JobRecord* record);
  Status Finish(const JobRecord& record);
  void AddFinish(const JobRecord& record, bool keep_blob, index::Batch* batch) const;
  std::optional<Sha256Digest> DropReplaced(const JobRecord& record, index::Batch* batch) const;
  void Retire(const std::shared_ptr<Active>& active, const JobRecord& record);
  void Prune();
  JobView ViewLocked(const Active& active) const REQUIRES(mutex_);

  const Parts parts_;
  const Options options_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  CondVar work_;
  Mutex submit_mutex_;  // orders ids with their rows on disk
  std::map<JobId, std::shared_ptr<Active>> active_ GUARDED_BY(mutex_);
  JobId next_id_ GUARDED_BY(mutex_) = 1;
  uint64_t finished_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace ragstone::services

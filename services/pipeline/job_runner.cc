#include "services/pipeline/job_runner.h"

#include <algorithm>
#include <optional>
#include <set>

namespace ragstone::services {

namespace {

// A job that was begun this often without an end is what ends the server.
constexpr uint32_t kAttemptsMax = 5;

std::string JobHolder(JobId id) { return JobIdText(id); }
std::string DocumentHolder(index::DocumentId id) { return DocumentIdText(id); }

// Whether `waiting`, of the same source and not ended, leaves the document as `job` would.
bool DoesTheSame(const JobRecord& waiting, const JobRecord& job) {
  return !IsFinished(waiting.state) && waiting.blob == job.blob &&
         waiting.media_type == job.media_type && waiting.metadata == job.metadata;
}

}  // namespace

JobRunner::JobRunner(const Parts& parts, const Options& options)
    : parts_(parts), options_(options) {}

JobRunner::~JobRunner() { Shutdown(); }

Status JobRunner::Start() {
  std::vector<std::string> rows;
  uint64_t finished = 0;
  JobId last = 0;
  RETURN_IF_ERROR(parts_.database->Scan(index::Table::kJobs, "", "", true,
                                        [&](std::string_view key, std::string_view) {
                                          if (last == 0) {
                                            for (const char byte : key)
                                              last = last << 8 | static_cast<uint8_t>(byte);
                                          }
                                          ++finished;
                                          return true;
                                        }));
  Status read;
  RETURN_IF_ERROR(parts_.database->Scan(
      index::Table::kJobQueue, "", "", false, [&](std::string_view key, std::string_view) {
        const auto row = parts_.database->Get(index::Table::kJobs, key);
        if (!row.ok()) read = row.status();
        if (row.ok() && *row) rows.push_back(**row);
        return read.ok();
      }));
  RETURN_IF_ERROR(read);

  MutexLock lock(&mutex_);
  next_id_ = last + 1;
  finished_ = finished - std::min<uint64_t>(finished, rows.size());
  for (const std::string& row : rows) {
    ASSIGN_OR_RETURN(JobRecord record, DecodeJob(row));
    auto active = std::make_shared<Active>();
    active->record = std::move(record);
    active_.emplace(active->record.id, std::move(active));
  }
  for (uint32_t i = 0; i < options_.parallel; ++i) threads_.emplace_back([this] { Work(); });
  return OkStatus();
}

void JobRunner::Shutdown() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    for (const auto& [id, active] : active_) {
      if (active->running) active->cancel->Cancel();
    }
    work_.NotifyAll();
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::shared_ptr<JobRunner::Active> JobRunner::NewestOfSourceLocked(const JobRecord& job) const {
  const auto found = std::find_if(active_.rbegin(), active_.rend(), [&](const auto& entry) {
    const JobRecord& other = entry.second->record;
    return other.collection_id == job.collection_id && other.source == job.source;
  });
  return found == active_.rend() ? nullptr : found->second;
}

Result<JobRecord> JobRunner::Submit(
    JobRecord job, const std::function<Status(const JobRecord&, index::Batch*)>& also) {
  MutexLock order(&submit_mutex_);
  std::optional<JobRecord> same;
  {
    MutexLock lock(&mutex_);
    if (stopping_) return Unavailable(Reason::kShuttingDown, "the server is stopping");
    const std::shared_ptr<Active> other = NewestOfSourceLocked(job);
    if (other != nullptr) {
      job.document = other->record.document;
      if (!other->cancelled_by_user && DoesTheSame(other->record, job)) same = other->record;
    }
    if (!same && active_.size() >= options_.queued_max) {
      return ResourceExhausted(Reason::kQueueFull,
                               std::to_string(active_.size()) +
                                   " documents wait, which is the limit (jobs_queued_max); try "
                                   "again when some are done");
    }
    if (!same) job.id = next_id_++;
  }
  if (same) {
    index::Batch batch;
    RETURN_IF_ERROR(also(*same, &batch));
    RETURN_IF_ERROR(parts_.database->Write(std::move(batch)));
    return *same;
  }
  if (job.document == 0) {
    ASSIGN_OR_RETURN(job.document, parts_.database->NewDocumentId());
  }
  job.created_ns = job.updated_ns = parts_.clock->NowNs();
  index::Batch batch;
  batch.Put(index::Table::kJobs, JobKey(job.id), EncodeJob(job));
  const bool ended = IsFinished(job.state);
  if (!ended) {
    batch.Put(index::Table::kJobQueue, JobKey(job.id), "");
    parts_.blobs->AddReference(job.blob, JobHolder(job.id), &batch);
  }
  RETURN_IF_ERROR(also(job, &batch));
  RETURN_IF_ERROR(parts_.database->Write(std::move(batch)));

  MutexLock lock(&mutex_);
  if (ended) {
    ++finished_;
    return job;
  }
  auto active = std::make_shared<Active>();
  active->record = job;
  active_.emplace(job.id, std::move(active));
  work_.NotifyOne();
  return job;
}

void JobRunner::Work() {
  for (;;) {
    std::shared_ptr<Active> active;
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && (active = NextLocked()) == nullptr) work_.Wait(&mutex_);
      if (stopping_) return;
      active->running = true;
    }
    RunOne(active);
  }
}

// The oldest job that waits and whose document no other job works on.
std::shared_ptr<JobRunner::Active> JobRunner::NextLocked() {
  std::set<index::DocumentId> busy;
  for (const auto& [id, active] : active_) {
    const bool taken = !busy.insert(active->record.document).second;
    if (!active->running && !taken) return active;
  }
  return nullptr;
}

void JobRunner::RunOne(const std::shared_ptr<Active>& active) {
  JobRecord record;
  {
    MutexLock lock(&mutex_);
    record = active->record;
  }
  std::optional<Sha256Digest> replaced;
  Status status = Begin(&record);
  if (status.ok()) {
    const CallContext context(CallContext::TimePoint::max(), active->cancel);
    const auto also = [&](uint32_t pages, uint32_t chunks) {
      record.state = JobState::kSucceeded;
      record.pages = pages;
      record.chunks = chunks;
      record.updated_ns = parts_.clock->NowNs();
      index::Batch batch;
      replaced = DropReplaced(record, &batch);
      AddFinish(record, options_.keep_originals, &batch);
      return batch;
    };
    status = parts_.pipeline->Run(record, &active->progress, context, also).status();
  }
  bool by_user = false;
  {
    MutexLock lock(&mutex_);
    by_user = active->cancelled_by_user;
    if (stopping_ && !status.ok() && !by_user) {
      active->running = false;  // stays queued on disk
      return;
    }
  }
  if (status.ok()) {
    // What fails to be removed here is swept at the next start.
    for (const Sha256Digest& blob : {record.blob, replaced.value_or(record.blob)}) {
      static_cast<void>(parts_.blobs->RemoveIfUnreferenced(blob));
    }
    return Retire(active, record);
  }
  record.state = by_user ? JobState::kCancelled : JobState::kFailed;
  record.error = by_user ? Status(StatusCode::kCancelled, Reason::kCancelled,
                                  "the job was cancelled; nothing of it was kept")
                         : status;
  if (Finish(record).ok()) return Retire(active, record);
  // The disk is full, say: whoever watches learns the outcome, and the next start tries again.
  MutexLock lock(&mutex_);
  active->record = record;
  changed_.NotifyAll();
}

// Counts the attempt on disk first, so that a document that ends the server is given up.
Status JobRunner::Begin(JobRecord* record) {
  record->state = JobState::kRunning;
  record->updated_ns = parts_.clock->NowNs();
  if (++record->attempts > kAttemptsMax) {
    return FailedPrecondition(Reason::kQuarantined,
                              "the server ended " + std::to_string(kAttemptsMax) +
                                  " times while it worked on this document; it is given up");
  }
  index::Batch batch;
  batch.Put(index::Table::kJobs, JobKey(record->id), EncodeJob(*record));
  return parts_.database->Write(std::move(batch));
}

// The original of the version that this job replaces is not needed any more.
std::optional<Sha256Digest> JobRunner::DropReplaced(const JobRecord& record,
                                                    index::Batch* batch) const {
  const auto former = parts_.database->GetDocument(record.collection_id, record.document);
  if (!former.ok() || former->content == record.blob) return std::nullopt;
  parts_.blobs->DropReference(former->content, DocumentHolder(record.document), batch);
  return former->content;
}

void JobRunner::AddFinish(const JobRecord& record, bool keep_blob, index::Batch* batch) const {
  batch->Put(index::Table::kJobs, JobKey(record.id), EncodeJob(record));
  batch->Delete(index::Table::kJobQueue, JobKey(record.id));
  parts_.blobs->DropReference(record.blob, JobHolder(record.id), batch);
  if (keep_blob) parts_.blobs->AddReference(record.blob, DocumentHolder(record.document), batch);
}

Status JobRunner::Finish(const JobRecord& record) {
  index::Batch batch;
  AddFinish(record, false, &batch);
  RETURN_IF_ERROR(parts_.database->Write(std::move(batch)));
  return parts_.blobs->RemoveIfUnreferenced(record.blob);
}

void JobRunner::Retire(const std::shared_ptr<Active>& active, const JobRecord& record) {
  {
    MutexLock lock(&mutex_);
    active->progress.stage = IngestProgress::Stage::kDone;
    active_.erase(record.id);
    ++finished_;
    work_.NotifyAll();  // another job of the same document may wait
    changed_.NotifyAll();
  }
  Prune();
}

// Drops the oldest ended jobs beyond `kept_max`, a tenth of them at a time.
void JobRunner::Prune() {
  size_t drop = 0;
  {
    MutexLock lock(&mutex_);
    if (finished_ <= options_.kept_max) return;
    drop = options_.kept_max / 10 + 1;
    finished_ -= drop;
  }
  index::Batch batch;
  const Status status = parts_.database->Scan(index::Table::kJobs, "", "", false,
                                              [&](std::string_view key, std::string_view value) {
                                                const auto job = DecodeJob(value);
                                                if (job.ok() && !IsFinished(job->state))
                                                  return true;
                                                batch.Delete(index::Table::kJobs, key);
                                                return --drop > 0;
                                              });
  if (!status.ok()) return;
  const Status written = parts_.database->Write(std::move(batch));
  (void)written;  // they are dropped with the next ones
}

JobView JobRunner::ViewLocked(const Active& active) const {
  JobView view;
  view.record = active.record;
  if (active.running && !IsFinished(view.record.state)) view.record.state = JobState::kRunning;
  view.stage = active.progress.stage;
  view.pages_done = active.progress.pages_done;
  view.pages_total = active.progress.pages_total;
  view.chunks_done = active.progress.chunks_done;
  view.chunks_total = active.progress.chunks_total;
  return view;
}

namespace {

JobView FinishedView(JobRecord record) {
  JobView view;
  view.stage = IngestProgress::Stage::kDone;
  view.pages_done = view.pages_total = record.pages;
  view.chunks_done = view.chunks_total = record.chunks;
  view.record = std::move(record);
  return view;
}

}  // namespace

Result<JobView> JobRunner::Get(JobId id) const {
  {
    MutexLock lock(&mutex_);
    const auto found = active_.find(id);
    if (found != active_.end()) return ViewLocked(*found->second);
  }
  ASSIGN_OR_RETURN(const auto row, parts_.database->Get(index::Table::kJobs, JobKey(id)));
  if (!row) {
    return NotFound(Reason::kJobNotFound,
                    "no job '" + JobIdText(id) + "'; `ragstone job list` shows them");
  }
  ASSIGN_OR_RETURN(JobRecord record, DecodeJob(*row));
  return FinishedView(std::move(record));
}

Result<std::vector<JobView>> JobRunner::List(JobId before, size_t limit, bool active_only) const {
  std::vector<JobView> views;
  if (active_only) {
    MutexLock lock(&mutex_);
    for (auto it = active_.rbegin(); it != active_.rend() && views.size() < limit; ++it) {
      if (before == 0 || it->first < before) views.push_back(ViewLocked(*it->second));
    }
    return views;
  }
  Status read;
  const std::string end = before == 0 ? std::string() : JobKey(before);
  RETURN_IF_ERROR(parts_.database->Scan(
      index::Table::kJobs, "", end, true, [&](std::string_view, std::string_view value) {
        auto record = DecodeJob(value);
        if (!record.ok()) {
          read = record.status();
          return false;
        }
        MutexLock lock(&mutex_);
        const auto found = active_.find(record->id);
        views.push_back(found != active_.end() ? ViewLocked(*found->second)
                                               : FinishedView(std::move(*record)));
        return views.size() < limit;
      }));
  RETURN_IF_ERROR(read);
  return views;
}

void JobRunner::WaitForChange(std::chrono::steady_clock::time_point until) const {
  MutexLock lock(&mutex_);
  if (!stopping_) changed_.WaitUntil(&mutex_, until);
}

Result<JobView> JobRunner::Cancel(JobId id) {
  std::shared_ptr<Active> waiting;
  {
    MutexLock lock(&mutex_);
    const auto found = active_.find(id);
    if (found != active_.end()) {
      found->second->cancelled_by_user = true;
      if (found->second->running) {
        found->second->cancel->Cancel();
      } else {
        found->second->running = true;  // nobody else takes it
        waiting = found->second;
      }
    }
  }
  if (waiting != nullptr) {
    JobRecord record = waiting->record;
    record.state = JobState::kCancelled;
    record.updated_ns = parts_.clock->NowNs();
    record.error = Status(StatusCode::kCancelled, Reason::kCancelled, "the job was cancelled");
    RETURN_IF_ERROR(Finish(record));
    Retire(waiting, record);
  }
  ASSIGN_OR_RETURN(JobView view, Get(id));
  if (IsFinished(view.record.state) && view.record.state != JobState::kCancelled) {
    return FailedPrecondition(Reason::kJobFinished, JobIdText(id) + " has ended already");
  }
  return view;
}

bool JobRunner::HasActive(index::DocumentId document) const {
  MutexLock lock(&mutex_);
  return std::any_of(active_.begin(), active_.end(), [document](const auto& entry) {
    return entry.second->record.document == document;
  });
}

size_t JobRunner::active() const {
  MutexLock lock(&mutex_);
  return active_.size();
}

}  // namespace ragstone::services

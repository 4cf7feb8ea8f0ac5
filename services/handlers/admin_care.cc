// The care of the data directory: AdminService.Backup and Purge.
#include <algorithm>

#include "index/operations.h"
#include "services/handlers/app_impl.h"
#include "services/logging.h"

namespace ragstone::services {

namespace {

// One backup or purge at a time: a purge must not wait for what a backup holds.
class Turn {
 public:
  explicit Turn(std::atomic<bool>* taken) : taken_(taken), mine_(!taken->exchange(true)) {}
  ~Turn() {
    if (mine_) taken_->store(false);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  Status Check() const {
    if (mine_) return OkStatus();
    return Unavailable(Reason::kDataDirLocked,
                       "another backup or purge runs; repeat when it has ended");
  }

 private:
  std::atomic<bool>* const taken_;
  const bool mine_;
};

void SetProgress(std::string_view step, uint64_t done, uint64_t total,
                 v1::OperationProgress* progress) {
  progress->set_step(std::string(step));
  progress->set_bytes_done(std::min(done, total));
  progress->set_bytes_total(total);
}

// An operation whose progress goes to the client; its end or its going away ends the operation.
template <typename Response>
index::Operation Follow(const Writer<Response>& write, const CallContext& context) {
  index::Operation operation;
  operation.context = context;
  operation.progress = [&write](std::string_view step, uint64_t done, uint64_t total) {
    Response response;
    SetProgress(step, done, total, response.mutable_progress());
    return write(response);
  };
  return operation;
}

// Ended jobs of documents that are not there any more: they name files and hold metadata.
Status DropJobsOfDeleted(index::Database* database) {
  index::Batch batch;
  Status status;
  RETURN_IF_ERROR(database->Scan(
      index::Table::kJobs, "", "", /*descending=*/false,
      [&](std::string_view key, std::string_view value) {
        const Result<JobRecord> job = DecodeJob(value);
        if (!job.ok() || !IsFinished(job->state)) return true;
        const auto document = database->GetDocument(job->collection_id, job->document);
        if (!document.ok() && document.status().code() != StatusCode::kNotFound) {
          status = document.status();
          return false;
        }
        if (!document.ok()) batch.Delete(index::Table::kJobs, key);
        return true;
      }));
  RETURN_IF_ERROR(status);
  return batch.empty() ? OkStatus() : database->Write(std::move(batch));
}

}  // namespace

Status AppImpl::Backup(const v1::BackupRequest& request, const Writer<v1::BackupResponse>& write,
                       const CallContext& context) {
  if (!context.trusted_local()) {
    return Status(StatusCode::kPermissionDenied, Reason::kPathNotAllowed,
                  "backups are made over the Unix socket only: they write where the server may");
  }
  const Turn turn(&care_runs_);
  RETURN_IF_ERROR(turn.Check());
  const index::OpenData data{settings_.data_dir, database_.get(), record_database_.get(),
                             blobs_.get(), clock_};
  const index::BackupTarget target{request.directory(), request.name(), request.keep()};
  ASSIGN_OR_RETURN(const index::BackupOutcome outcome,
                   index::CreateBackup(data, target, Follow(write, context)));
  LogEvent(LogLevel::kInfo, "backup",
           {{"directory", request.directory()},
            {"id", std::to_string(outcome.backup.id)},
            {"new_bytes", std::to_string(outcome.new_bytes)}});
  v1::BackupResponse response;
  v1::BackupFinished* finished = response.mutable_finished();
  finished->set_id(outcome.backup.id);
  finished->set_name(outcome.backup.name);
  finished->set_created_ns(outcome.backup.created_ns);
  finished->set_files(outcome.backup.files);
  finished->set_bytes(outcome.backup.bytes);
  finished->set_new_bytes(outcome.new_bytes);
  finished->set_removed(static_cast<uint32_t>(outcome.removed));
  for (const std::string& warning : outcome.warnings) finished->add_warnings(warning);
  return write(response);
}

Status AppImpl::Purge(const v1::PurgeRequest& /*request*/, const Writer<v1::PurgeResponse>& write,
                      const CallContext& context) {
  const Turn turn(&care_runs_);
  RETURN_IF_ERROR(turn.Check());
  RETURN_IF_ERROR(DropJobsOfDeleted(database_.get()));
  const index::OpenData data{settings_.data_dir, database_.get(), record_database_.get(),
                             blobs_.get(), clock_};
  ASSIGN_OR_RETURN(const index::PurgeOutcome outcome,
                   index::PurgeDeleted(data, Follow(write, context)));
  LogEvent(LogLevel::kInfo, "purge",
           {{"bytes_before", std::to_string(outcome.bytes_before)},
            {"bytes_after", std::to_string(outcome.bytes_after)}});
  v1::PurgeResponse response;
  v1::PurgeFinished* finished = response.mutable_finished();
  finished->set_bytes_before(outcome.bytes_before);
  finished->set_bytes_after(outcome.bytes_after);
  finished->set_records(outcome.records);
  finished->set_originals(outcome.blobs);
  return write(response);
}

}  // namespace ragstone::services

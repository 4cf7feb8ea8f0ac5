#include "services/app.h"

#include "index/operations.h"
#include "services/handlers/app_impl.h"
#include "services/logging.h"

namespace ragstone::services {

Result<std::unique_ptr<App>> App::Open(const Settings& settings,
                                       std::unique_ptr<WorkerPool> workers, const Clock* clock) {
  auto app = std::make_unique<AppImpl>(settings, std::move(workers), clock);
  RETURN_IF_ERROR(app->Init());
  return std::unique_ptr<App>(std::move(app));
}

AppImpl::AppImpl(const Settings& settings, std::unique_ptr<WorkerPool> workers, const Clock* clock)
    : settings_(settings),
      clock_(clock),
      started_ns_(clock->NowNs()),
      model_store_(settings.models_dir),
      workers_(std::move(workers)) {}

AppImpl::~AppImpl() { Shutdown(); }

Status AppImpl::Init() {
  RETURN_IF_ERROR(index::CheckRestored(settings_.data_dir));
  index::DatabaseOptions options;
  options.dir = settings_.data_dir / "db";
  options.memory_bytes = settings_.memory_limit / 8;
  options.record_memory_bytes = settings_.record_memory_limit != 0 ? settings_.record_memory_limit
                                                                   : settings_.memory_limit / 2;
  options.hnsw_vectors_min = settings_.hnsw_vectors_min;
  options.disk_reserve_bytes = settings_.disk_reserve;
  options.on_storage_warning = [](std::string_view line) {
    LogEvent(LogLevel::kWarning, "storage", {{"message", std::string(line)}});
  };
  ASSIGN_OR_RETURN(database_, index::Database::Open(options, clock_));
  ASSIGN_OR_RETURN(blobs_, index::BlobStore::Open(settings_.data_dir / "blobs", database_.get(),
                                                  settings_.file_bytes_max));
  ASSIGN_OR_RETURN(requests_, index::RequestLog::Open(database_.get(), clock_));
  ASSIGN_OR_RETURN(record_database_, index::RecordDatabase::Open(database_.get(), clock_));
  records_ = std::make_unique<RecordHandlers>(
      RecordHandlers::Parts{record_database_.get(), requests_.get()});
  models_ = std::make_unique<ModelRegistry>(&settings_, &model_store_, workers_.get());

  IngestPipeline::Parts parts;
  parts.settings = &settings_;
  parts.clock = clock_;
  parts.database = database_.get();
  parts.blobs = blobs_.get();
  parts.models = models_.get();
  parts.workers = workers_.get();
  pipeline_ = std::make_unique<IngestPipeline>(parts);

  JobRunner::Options job_options;
  job_options.queued_max = settings_.jobs_queued_max;
  job_options.keep_originals = settings_.keep_originals;
  jobs_ = std::make_unique<JobRunner>(
      JobRunner::Parts{clock_, database_.get(), blobs_.get(), pipeline_.get()}, job_options);
  return jobs_->Start();
}

void AppImpl::Shutdown() {
  if (jobs_ != nullptr) jobs_->Shutdown();
}

bool AppImpl::Idle() const { return jobs_->active() == 0; }

#define RAGSTONE_FORWARD_TO_RECORDS(service, method)                               \
  Result<v1::method##Response> AppImpl::method(const v1::method##Request& request, \
                                               const CallContext& context) {       \
    return records_->method(request, context);                                     \
  }
RAGSTONE_VECTOR_UNARY_RPCS(RAGSTONE_FORWARD_TO_RECORDS)
#undef RAGSTONE_FORWARD_TO_RECORDS

Status AppImpl::UpsertRecordStream(const Reader<v1::UpsertRecordStreamRequest>& read,
                                   const Writer<v1::UpsertRecordStreamResponse>& write,
                                   const CallContext& context) {
  return records_->UpsertRecordStream(read, write, context);
}

std::string_view CollectionName(std::string_view name) { return name.empty() ? "default" : name; }

}  // namespace ragstone::services

#include <unistd.h>

#include <charconv>

#include "base/file.h"
#include "services/handlers/app_impl.h"
#include "services/version.h"

namespace ragstone::services {

namespace {

// Resident memory of this process; 0 if /proc does not tell.
uint64_t ResidentBytes() {
  const auto statm = ReadFile("/proc/self/statm");
  if (!statm.ok()) return 0;
  const size_t space = statm->find(' ');
  if (space == std::string::npos) return 0;
  uint64_t pages = 0;
  std::from_chars(statm->data() + space + 1, statm->data() + statm->size(), pages);
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Result<v1::GetStatusResponse> AppImpl::GetStatus(const v1::GetStatusRequest& /*request*/,
                                                 const CallContext& /*context*/) {
  v1::GetStatusResponse response;
  response.set_version(kVersion);
  response.set_pid(::getpid());
  response.set_data_dir(settings_.data_dir.string());
  response.set_uptime_s(static_cast<double>(clock_->NowNs() - started_ns_) / 1e9);
  response.set_rss_bytes(ResidentBytes());
  for (const WorkerState& worker : workers_->States()) {
    v1::WorkerStatus* status = response.add_workers();
    status->set_role(worker.role);
    status->set_pid(worker.pid);
    status->set_executable(worker.executable);
    status->set_model(worker.model);
    status->set_starts(worker.starts);
    status->set_rss_bytes(worker.rss_bytes);
    status->set_peak_rss_bytes(worker.peak_rss_bytes);
    status->set_last_exit(worker.last_exit);
    status->set_device(worker.device);
  }
  response.set_jobs_active(jobs_->active());
  response.set_grpc_address(settings_.grpc_listen);
  auto& counters = *response.mutable_counters();
  counters["add.requests"] = counters_.add;
  counters["search.requests"] = counters_.search;
  counters["ask.requests"] = counters_.ask;
  counters["ask.answered"] = counters_.answered;
  counters["ask.refused"] = counters_.refused;
  counters["records.searches"] = records_->searches();
  counters["records.writes"] = records_->writes();
  for (const auto& [name, value] : database_->Counters()) counters[name] = value;
  return response;
}

}  // namespace ragstone::services

#include <fmt/format.h>

#include "ragstone/v1/job.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/paging.h"
#include "services/cli/render.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

using Stub = v1::JobService::Stub;

void PrintJob(const v1::Job& job, Output* output) {
  if (output->json()) {
    output->Json({{"job", JobJson(job)}});
    return;
  }
  std::vector<std::vector<std::string>> rows = {
      {"id", Sanitize(job.id())},
      {"state", JobStateName(job.state())},
      {"stage", Sanitize(job.stage())},
      {"path", Sanitize(job.path())},
      {"collection", Sanitize(job.collection())},
      {"document", Sanitize(job.document_id())},
      {"pages", fmt::format("{} of {}", job.pages_done(), job.pages_total())},
      {"chunks", fmt::format("{} of {}", job.chunks_done(), job.chunks_total())},
      {"attempts", std::to_string(job.attempts())},
      {"created", FormatTimeOrDash(job.created_ns())},
      {"updated", FormatTimeOrDash(job.updated_ns())},
  };
  if (job.has_error()) {
    rows.push_back({"error", fmt::format("{} ({})", Sanitize(job.error().message()),
                                         Sanitize(job.error().reason()))});
  }
  output->Write(FormatTable(rows));
}

}  // namespace

Result<int> RunJobList(const CommandContext& context) {
  v1::ListJobsRequest request;
  request.set_active_only(context.options.active_only);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto jobs,
                   (ListAll<v1::Job>(*connection, &Stub::ListJobs, request,
                                     [](const auto& page) { return &page.jobs(); })));
  Output* output = context.output;
  if (output->json()) {
    Json list = Json::array();
    for (const v1::Job& job : jobs) list.push_back(JobJson(job));
    output->Json({{"jobs", list}});
    return kExitDone;
  }
  if (jobs.empty()) output->Message("there are no jobs");
  std::vector<std::vector<std::string>> rows = {{"ID", "STATE", "STAGE", "PAGES", "PATH"}};
  for (const v1::Job& job : jobs) {
    rows.push_back({Sanitize(job.id()), JobStateName(job.state()), Sanitize(job.stage()),
                    fmt::format("{}/{}", job.pages_done(), job.pages_total()),
                    Sanitize(job.path())});
  }
  if (!jobs.empty()) output->Write(FormatTable(rows));
  return kExitDone;
}

Result<int> RunJobShow(const CommandContext& context) {
  v1::GetJobRequest request;
  request.set_id(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::GetJob, request, Connection::kShortCall));
  PrintJob(response.job(), context.output);
  return kExitDone;
}

Result<int> RunJobCancel(const CommandContext& context) {
  v1::CancelJobRequest request;
  request.set_id(context.options.id);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  ASSIGN_OR_RETURN(const auto response,
                   connection->Unary(&Stub::CancelJob, request, Connection::kShortCall));
  PrintJob(response.job(), context.output);
  return kExitDone;
}

}  // namespace ragstone::services::cli

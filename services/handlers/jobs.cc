#include "services/handlers/app_impl.h"
#include "services/handlers/convert.h"

namespace ragstone::services {

Result<v1::ListJobsResponse> AppImpl::ListJobs(const v1::ListJobsRequest& request,
                                               const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string token, ReadPageToken("jobs", request.page_token()));
  JobId before = 0;
  if (!token.empty()) {
    const auto id = ParseJobId(token);
    if (!id.ok()) {
      return InvalidArgument(Reason::kInvalidPageToken, "page_token is not one of this list");
    }
    before = *id;
  }
  ASSIGN_OR_RETURN(const auto views, jobs_->List(before, size + 1, request.active_only()));
  v1::ListJobsResponse response;
  for (const JobView& view : views) {
    if (static_cast<size_t>(response.jobs_size()) == size) {
      response.set_next_page_token(MakePageToken("jobs", response.jobs().rbegin()->id()));
      break;
    }
    ToMessage(view, response.add_jobs());
  }
  return response;
}

Result<v1::GetJobResponse> AppImpl::GetJob(const v1::GetJobRequest& request,
                                           const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const JobId id, ParseJobId(request.id()));
  ASSIGN_OR_RETURN(const JobView view, jobs_->Get(id));
  v1::GetJobResponse response;
  ToMessage(view, response.mutable_job());
  return response;
}

Result<v1::CancelJobResponse> AppImpl::CancelJob(const v1::CancelJobRequest& request,
                                                 const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const JobId id, ParseJobId(request.id()));
  ASSIGN_OR_RETURN(const JobView view, jobs_->Cancel(id));
  v1::CancelJobResponse response;
  ToMessage(view, response.mutable_job());
  return response;
}

Status AppImpl::WatchJob(const v1::WatchJobRequest& request,
                         const Writer<v1::WatchJobResponse>& write, const CallContext& context) {
  ASSIGN_OR_RETURN(const JobId id, ParseJobId(request.id()));
  return FollowJob(
      id,
      [&](const JobView& view) {
        v1::WatchJobResponse response;
        ToMessage(view, response.mutable_job());
        return write(response);
      },
      context);
}

}  // namespace ragstone::services

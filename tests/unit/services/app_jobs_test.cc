// Covers jobs.cc and job_runner.cc.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/testing/app_fixture.h"

namespace ragstone::services {
namespace {

class AppJobs : public testing::AppFixture {
 protected:
  // Lets embedding wait until Release.
  void Hold() {
    held_ = true;
    workers_->embedder.before_embed = [this] {
      reached_ = true;
      while (held_) std::this_thread::yield();
      return OkStatus();
    };
  }
  void AwaitHeld() {
    while (!reached_) std::this_thread::yield();
  }
  void Release() { held_ = false; }

  Added AddDetached(const std::string& source, const std::string& bytes) {
    v1::AddDocumentStart start;
    start.set_source(source);
    start.set_create_collection(true);
    start.set_detach(true);
    return AddStart(start, bytes);
  }
  v1::Job Job(const std::string& id) {
    v1::GetJobRequest request;
    request.set_id(id);
    const auto response = app_->GetJob(request, CallContext());
    return response.ok() ? response->job() : v1::Job();
  }
  v1::Job Await(const std::string& id) {
    v1::WatchJobRequest request;
    request.set_id(id);
    v1::Job last;
    const Status status = app_->WatchJob(
        request,
        [&](const v1::WatchJobResponse& response) {
          last = response.job();
          return OkStatus();
        },
        CallContext());
    EXPECT_TRUE(status.ok()) << status.ToString();
    return last;
  }

  std::atomic<bool> held_{false};
  std::atomic<bool> reached_{false};
};

TEST_F(AppJobs, AFinishedJobTellsWhatItDid) {
  const Added added = Add("a.txt", "Some text.");
  const v1::Job job = Job(added.job_id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.stage(), "done");
  EXPECT_EQ(job.document_id(), added.document_id);
  EXPECT_EQ(job.pages_done(), 1u);
  EXPECT_EQ(job.chunks_total(), 1u);
}

TEST_F(AppJobs, AFailedJobKeepsItsReason) {
  const Added added = Add("a.pdf", "%PDF-1.7 broken");
  const v1::Job job = Job(added.job_id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().reason(), "PDF_DAMAGED");
}

TEST_F(AppJobs, UnknownJobsAreNotFound) {
  v1::GetJobRequest request;
  for (const char* id : {"job-999", "nonsense", ""}) {
    request.set_id(id);
    EXPECT_EQ(app_->GetJob(request, CallContext()).status().reason(), Reason::kJobNotFound);
  }
}

TEST_F(AppJobs, AnInterruptedJobIsResumedByTheNextStart) {
  Hold();
  const Added added = AddDetached("a.txt", "Some text about whales.");
  ASSERT_TRUE(added.status.ok()) << added.status.ToString();
  AwaitHeld();
  EXPECT_TRUE(Documents().empty());
  std::thread stop([this] { app_->Shutdown(); });
  Release();
  stop.join();
  Open();
  const v1::Job job = Await(added.job_id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Documents().size(), 1u);
  EXPECT_EQ(SearchFor("whales", v1::SEARCH_MODE_KEYWORD)->passages_size(), 1);
}

TEST_F(AppJobs, ARunningJobIsCancelledAndLeavesNothing) {
  Hold();
  const Added added = AddDetached("a.txt", "Some text.");
  AwaitHeld();
  v1::CancelJobRequest request;
  request.set_id(added.job_id);
  ASSERT_TRUE(app_->CancelJob(request, CallContext()).ok());
  Release();
  EXPECT_EQ(Await(added.job_id).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(Documents().empty());
}

TEST_F(AppJobs, AWaitingJobIsCancelledAtOnce) {
  Hold();
  const Added first = AddDetached("a.txt", "Some text.");
  AwaitHeld();
  const Added second = AddDetached("a.txt", "Some newer text.");  // waits for the first
  EXPECT_EQ(first.document_id, second.document_id);
  v1::CancelJobRequest request;
  request.set_id(second.job_id);
  const auto cancelled = app_->CancelJob(request, CallContext());
  ASSERT_TRUE(cancelled.ok()) << cancelled.status().ToString();
  EXPECT_EQ(cancelled->job().state(), v1::JOB_STATE_CANCELLED);
  Release();
  EXPECT_EQ(Await(first.job_id).state(), v1::JOB_STATE_SUCCEEDED);
  request.set_id(first.job_id);
  EXPECT_EQ(app_->CancelJob(request, CallContext()).status().reason(), Reason::kJobFinished);
}

TEST_F(AppJobs, JobsOfOneDocumentRunInOrder) {
  Hold();
  AddDetached("a.txt", "Version one.");
  const Added last = AddDetached("a.txt", "Version two.");
  Release();
  EXPECT_EQ(Await(last.job_id).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Documents().size(), 1u);
  EXPECT_EQ(SearchFor("two", v1::SEARCH_MODE_KEYWORD)->passages_size(), 1);
  EXPECT_EQ(SearchFor("one", v1::SEARCH_MODE_KEYWORD)->passages_size(), 0);
}

TEST_F(AppJobs, TheSameContentTwiceIsOneJob) {
  Hold();
  const Added first = AddDetached("a.txt", "Some text.");
  AwaitHeld();
  EXPECT_EQ(AddDetached("a.txt", "Some text.").job_id, first.job_id);
  const Added newer = AddDetached("a.txt", "Some newer text.");
  EXPECT_NE(newer.job_id, first.job_id);
  EXPECT_EQ(AddDetached("a.txt", "Some newer text.").job_id, newer.job_id);
  // Back to the first text: the newer job would undo the first one.
  const Added last = AddDetached("a.txt", "Some text.");
  EXPECT_NE(last.job_id, first.job_id);
  EXPECT_NE(AddDetached("b.txt", "Some text.").job_id, first.job_id);
  Release();
  EXPECT_EQ(Await(first.job_id).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Await(last.job_id).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(SearchFor("newer", v1::SEARCH_MODE_KEYWORD)->passages_size(), 0);
}

TEST_F(AppJobs, AJobThatIsBeingCancelledIsNotJoined) {
  Hold();
  const Added first = AddDetached("a.txt", "Some text.");
  AwaitHeld();
  v1::CancelJobRequest request;
  request.set_id(first.job_id);
  ASSERT_TRUE(app_->CancelJob(request, CallContext()).ok());
  const Added second = AddDetached("a.txt", "Some text.");
  EXPECT_NE(second.job_id, first.job_id);
  Release();
  EXPECT_EQ(Await(second.job_id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(AppJobs, TheQueueHasALimit) {
  settings_ = home_.settings();
  settings_->jobs_queued_max = 1;
  Open();
  Hold();
  const Added first = AddDetached("a.txt", "Some text.");
  AwaitHeld();
  EXPECT_EQ(AddDetached("b.txt", "Other text.").status.reason(), Reason::kQueueFull);
  Release();
  Await(first.job_id);
  EXPECT_TRUE(app_->Idle());
}

TEST_F(AppJobs, ListsAreNewestFirstAndComeInPages) {
  for (int i = 0; i < 3; ++i) Add("f" + std::to_string(i) + ".txt", "Text.");
  v1::ListJobsRequest request;
  request.set_page_size(2);
  const auto first = app_->ListJobs(request, CallContext());
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->jobs_size(), 2);
  EXPECT_EQ(first->jobs(0).path(), "f2.txt");
  request.set_page_token(first->next_page_token());
  const auto second = app_->ListJobs(request, CallContext());
  ASSERT_EQ(second->jobs_size(), 1);
  EXPECT_EQ(second->jobs(0).path(), "f0.txt");
  EXPECT_TRUE(second->next_page_token().empty());
  request.Clear();
  request.set_active_only(true);
  EXPECT_EQ(app_->ListJobs(request, CallContext())->jobs_size(), 0);
}

}  // namespace
}  // namespace ragstone::services

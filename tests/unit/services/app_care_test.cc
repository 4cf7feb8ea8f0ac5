// Covers admin_care.cc: backup and purge through the App.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "index/operations.h"
#include "tests/testing/app_fixture.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

class AppCare : public testing::AppFixture {
 protected:
  struct Made {
    Status status;
    std::vector<v1::BackupResponse> events;
  };
  Made Backup(const std::string& directory, bool trusted = true) {
    v1::BackupRequest request;
    request.set_directory(directory);
    request.set_name("test");
    CallContext context;
    context.set_trusted_local(trusted);
    Made made;
    made.status = app_->Backup(
        request,
        [&](const v1::BackupResponse& response) {
          made.events.push_back(response);
          return OkStatus();
        },
        context);
    return made;
  }
  Status Purge(v1::PurgeFinished* finished) {
    return app_->Purge(
        v1::PurgeRequest(),
        [&](const v1::PurgeResponse& response) {
          if (response.has_finished()) *finished = response.finished();
          return OkStatus();
        },
        CallContext());
  }
  std::string directory() const { return (folder_.path() / "backups").string(); }

  testing::TempFolder folder_;
};

TEST_F(AppCare, ABackupTellsItsProgressAndWhatItIs) {
  ASSERT_TRUE(Add("notes.txt", "some words of a note").status.ok());
  const Made made = Backup(directory());
  ASSERT_TRUE(made.status.ok()) << made.status.ToString();
  ASSERT_GE(made.events.size(), 2u);
  EXPECT_EQ(made.events[0].progress().step(), "taking the state");
  const v1::BackupFinished& finished = made.events.back().finished();
  EXPECT_EQ(finished.id(), 1u);
  EXPECT_EQ(finished.name(), "test");
  EXPECT_GT(finished.bytes(), 0u);
  EXPECT_EQ(finished.new_bytes(), finished.bytes());
  const auto list = index::ListBackups(directory());
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->size(), 1u);
}

TEST_F(AppCare, BackupsAreForTheSocketsOwnerOnly) {
  const Made made = Backup(directory(), /*trusted=*/false);
  EXPECT_EQ(made.status.code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(made.status.reason(), Reason::kPathNotAllowed);
  EXPECT_FALSE(std::filesystem::exists(directory()));
}

TEST_F(AppCare, ABackupEndsWhenItsClientGoes) {
  v1::BackupRequest request;
  request.set_directory(directory());
  CallContext context;
  context.set_trusted_local(true);
  const Status gone(StatusCode::kCancelled, Reason::kCancelled, "gone");
  EXPECT_EQ(app_->Backup(
                    request, [&](const v1::BackupResponse&) { return gone; }, context)
                .code(),
            StatusCode::kCancelled);
  EXPECT_TRUE(Backup(directory()).status.ok()) << "the turn was given back";
}

TEST_F(AppCare, OneBackupOrPurgeAtATime) {
  v1::BackupRequest request;
  request.set_directory(directory());
  CallContext context;
  context.set_trusted_local(true);
  Status second;
  ASSERT_TRUE(app_->Backup(
                      request,
                      [&](const v1::BackupResponse&) {
                        v1::PurgeFinished finished;
                        if (second.ok()) second = Purge(&finished);
                        return OkStatus();
                      },
                      context)
                  .ok());
  EXPECT_EQ(second.code(), StatusCode::kUnavailable);
}

TEST_F(AppCare, APurgeForgetsJobsOfDeletedDocuments) {
  const Added kept = Add("kept.txt", "words that stay");
  const Added added = Add("secret-name.txt", "words that go");
  ASSERT_TRUE(added.status.ok());
  v1::DeleteDocumentRequest request;
  request.set_id(added.document_id);
  ASSERT_TRUE(app_->DeleteDocument(request, CallContext()).ok());
  v1::PurgeFinished finished;
  const Status status = Purge(&finished);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_GT(finished.bytes_after(), 0u);
  v1::GetJobRequest job;
  job.set_id(added.job_id);
  EXPECT_EQ(app_->GetJob(job, CallContext()).status().reason(), Reason::kJobNotFound);
  job.set_id(kept.job_id);
  EXPECT_TRUE(app_->GetJob(job, CallContext()).ok());
  ASSERT_EQ(Documents().size(), 1u);
}

TEST_F(AppCare, ADirectoryWithARestoreThatWasCutOffIsRefused) {
  app_.reset();
  const std::filesystem::path marker = home_.settings().data_dir / "restore.incomplete";
  ASSERT_TRUE(WriteFileAtomically(marker, "backup 1\n").ok());
  const auto open = [&] {
    return App::Open(home_.settings(), std::make_unique<testing::FakeWorkerPool>(), Clock::System())
        .status();
  };
  EXPECT_EQ(open().code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(open().message().find("ragstone restore"), std::string::npos);
  std::filesystem::remove(marker);
  EXPECT_TRUE(open().ok());
}

TEST_F(AppCare, NothingIsAddedOnceTheReserveOfTheDiskIsReached) {
  app_.reset();
  settings_ = home_.settings();
  // A twentieth of the disk counts, so that it depends on the disk what is right here.
  settings_->disk_reserve = uint64_t{1} << 60;
  Open();
  const std::filesystem::space_info space = std::filesystem::space(home_.dir());
  const Added added = Add("notes.txt", "some words of a note");
  EXPECT_EQ(added.status.ok(), space.available > space.capacity / 20 + (1 << 20));
  if (!added.status.ok()) {
    EXPECT_EQ(added.status.reason(), Reason::kDiskFull);
  }
}

}  // namespace
}  // namespace ragstone::services

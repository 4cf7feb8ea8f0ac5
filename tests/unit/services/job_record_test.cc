#include "services/pipeline/job_record.h"

#include <gtest/gtest.h>

namespace ragstone::services {
namespace {

JobRecord FullJob() {
  JobRecord job;
  job.id = 7;
  job.state = JobState::kFailed;
  job.collection = "c";
  job.collection_id = 3;
  job.document = 9;
  job.source = "/tmp/\xff\xfe.pdf";  // paths need not be UTF-8
  job.media_type = "application/pdf";
  job.blob = Sha256Of("x");
  job.bytes = 1;
  job.metadata["text"] = std::string("value");
  job.metadata["number"] = static_cast<int64_t>(-5);
  job.metadata["real"] = 0.5;
  job.metadata["flag"] = true;
  job.metadata["time"] = index::Datetime{123};
  job.metadata["list"] = std::vector<std::string>{"a", "b"};
  job.created_ns = 1;
  job.updated_ns = 2;
  job.attempts = 2;
  job.unchanged = true;
  job.pages = 4;
  job.chunks = 5;
  job.error = NotFound(Reason::kFileNotFound, "gone: \xff");
  return job;
}

TEST(JobRecord, ComesBackFromItsBytes) {
  const JobRecord job = FullJob();
  const auto back = DecodeJob(EncodeJob(job));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->id, job.id);
  EXPECT_EQ(back->state, job.state);
  EXPECT_EQ(back->collection, job.collection);
  EXPECT_EQ(back->collection_id, job.collection_id);
  EXPECT_EQ(back->document, job.document);
  EXPECT_EQ(back->source, job.source);
  EXPECT_EQ(back->media_type, job.media_type);
  EXPECT_EQ(back->blob, job.blob);
  EXPECT_EQ(back->bytes, job.bytes);
  EXPECT_EQ(back->metadata, job.metadata);
  EXPECT_EQ(back->created_ns, job.created_ns);
  EXPECT_EQ(back->updated_ns, job.updated_ns);
  EXPECT_EQ(back->attempts, job.attempts);
  EXPECT_EQ(back->unchanged, job.unchanged);
  EXPECT_EQ(back->pages, job.pages);
  EXPECT_EQ(back->chunks, job.chunks);
  EXPECT_EQ(back->error.code(), StatusCode::kNotFound);
  EXPECT_EQ(back->error.reason(), Reason::kFileNotFound);
  EXPECT_EQ(back->error.message(), job.error.message());
}

TEST(JobRecord, DamagedBytesAreDataLoss) {
  const std::string bytes = EncodeJob(FullJob());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(DecodeJob(bytes.substr(0, length)).status().code(), StatusCode::kDataLoss);
  }
}

TEST(JobRecord, IdsComeBackFromTheirTexts) {
  EXPECT_EQ(*ParseJobId(JobIdText(12)), 12u);
  EXPECT_EQ(*ParseDocumentId(DocumentIdText(34)), 34u);
  for (const char* bad : {"", "12", "job-", "job-x", "job-1x", "doc-1", "job--1"}) {
    EXPECT_EQ(ParseJobId(bad).status().reason(), Reason::kJobNotFound) << bad;
  }
  EXPECT_EQ(ParseDocumentId("job-1").status().reason(), Reason::kDocumentNotFound);
}

TEST(JobRecord, KeysAreOrderedAsTheIdsAre) {
  EXPECT_LT(JobKey(255), JobKey(256));
  EXPECT_EQ(JobKey(1).size(), 8u);
}

}  // namespace
}  // namespace ragstone::services

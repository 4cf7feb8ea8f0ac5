#include "services/handlers/request_log.h"

#include <gtest/gtest.h>

#include "tests/testing/fake_worker_pool.h"

namespace ragstone::services {
namespace {

class RequestLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    index::DatabaseOptions options;
    options.dir = home_.dir() / "db";
    auto database = index::Database::Open(options, &clock_);
    ASSERT_TRUE(database.ok()) << database.status().ToString();
    database_ = std::move(database).value();
  }
  void Record(const RequestLog& log, std::string_view id, std::string_view response) {
    index::Batch batch;
    log.Record({"Method", id, "request", response}, &batch);
    if (!batch.empty()) {
      ASSERT_TRUE(database_->Write(std::move(batch)).ok());
    }
  }

  testing::TestHome home_;
  FakeClock clock_{1'000'000'000'000};
  std::unique_ptr<index::Database> database_;
};

TEST_F(RequestLogTest, FindsTheFirstOutcomeOfTheSameRequestOnly) {
  const RequestLog log(database_.get(), &clock_);
  EXPECT_EQ(*log.Find("Method", "id", "request"), std::nullopt);
  Record(log, "id", "outcome");
  EXPECT_EQ(*log.Find("Method", "id", "request"), "outcome");
  EXPECT_EQ(*log.Find("Other", "id", "request"), std::nullopt);
  const Status reused = log.Find("Method", "id", "another").status();
  EXPECT_EQ(reused.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(reused.reason(), Reason::kRequestIdReused);
}

TEST_F(RequestLogTest, EmptyIdsAreNeverKeptAndLongOnesRefused) {
  const RequestLog log(database_.get(), &clock_);
  Record(log, "", "outcome");
  EXPECT_EQ(*log.Find("Method", "", "request"), std::nullopt);
  EXPECT_FALSE(log.Find("Method", std::string(257, 'x'), "request").ok());
}

TEST_F(RequestLogTest, EntriesAreForgottenAfterADay) {
  RequestLog log(database_.get(), &clock_);
  Record(log, "old", "outcome");
  clock_.AdvanceNs(25ll * 3600 * 1'000'000'000);
  EXPECT_EQ(*log.Find("Method", "old", "request"), std::nullopt);
  Record(log, "new", "outcome");
  ASSERT_TRUE(log.Prune().ok());
  size_t rows = 0;
  ASSERT_TRUE(database_
                  ->Scan(index::Table::kRequests, "", "", false,
                         [&](std::string_view, std::string_view) {
                           ++rows;
                           return true;
                         })
                  .ok());
  EXPECT_EQ(rows, 1u);
}

}  // namespace
}  // namespace ragstone::services

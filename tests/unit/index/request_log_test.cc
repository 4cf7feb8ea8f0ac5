// Covers request_log.cc and, of services' requests, records_db/request_book.cc.
#include "index/request_log.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "index/internal/coding.h"
#include "index/internal/records_db/request_book.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

constexpr int64_t kHourNs = 3600ll * 1'000'000'000;

class RequestLogTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    log_.reset();
    database_.reset();
    DatabaseOptions options;
    options.dir = folder_.path();
    Result<std::unique_ptr<Database>> database = Database::Open(options, &clock_);
    ASSERT_TRUE(database.ok()) << database.status().ToString();
    database_ = std::move(*database);
    Result<std::unique_ptr<RequestLog>> log = RequestLog::Open(database_.get(), &clock_);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    log_ = std::move(*log);
  }
  void Record(const std::vector<std::string>& ids, std::string_view response) {
    Batch batch;
    for (const std::string& id : ids) {
      ASSERT_TRUE(log_->Record({"Method", id, "request", response}, &batch).ok());
    }
    if (batch.empty()) return;
    ASSERT_TRUE(database_->Write(std::move(batch)).ok());
  }
  std::optional<std::string> Found(std::string_view id) {
    const auto found = log_->Find("Method", id, "request");
    EXPECT_TRUE(found.ok()) << found.status().ToString();
    return found.ok() ? *found : std::nullopt;
  }
  size_t Rows() { return CountKeys(database_.get(), Family::kRecordRequest); }

  TemporaryFolder folder_;
  FakeClock clock_{1'700'000'000'000'000'000};
  std::unique_ptr<Database> database_;
  std::unique_ptr<RequestLog> log_;
};

TEST_F(RequestLogTest, FindsTheFirstOutcomeOfTheSameRequestOnly) {
  EXPECT_EQ(Found("id"), std::nullopt);
  Record({"id"}, "outcome");
  EXPECT_EQ(Found("id"), "outcome");
  EXPECT_EQ(*log_->Find("Other", "id", "request"), std::nullopt);
  const Status reused = log_->Find("Method", "id", "another").status();
  EXPECT_EQ(reused.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(reused.reason(), Reason::kRequestIdReused);
  EXPECT_NE(reused.message().find("\"id\""), std::string::npos) << reused.message();
  Open();
  EXPECT_EQ(Found("id"), "outcome") << "it is on disk";
}

TEST_F(RequestLogTest, NothingIsKeptOfABatchThatWasNotWritten) {
  {
    Batch batch;
    ASSERT_TRUE(log_->Record({"Method", "id", "request", "outcome"}, &batch).ok());
  }
  EXPECT_EQ(Found("id"), std::nullopt);
}

TEST_F(RequestLogTest, EmptyIdsAreNeverKeptAndLongOnesRefused) {
  Record({""}, "outcome");
  EXPECT_EQ(Rows(), 0u);
  EXPECT_EQ(Found(""), std::nullopt);
  const Status status = log_->Find("Method", std::string(257, 'x'), "request").status();
  EXPECT_EQ(status.reason(), Reason::kLimitExceeded);
}

TEST_F(RequestLogTest, EntriesAreForgottenAfterADay) {
  Record({"old", "other"}, "outcome");
  clock_.AdvanceNs(23 * kHourNs);
  EXPECT_EQ(Found("old"), "outcome");
  clock_.AdvanceNs(2 * kHourNs);
  EXPECT_EQ(Found("old"), std::nullopt);
  Record({"new"}, "outcome");
  EXPECT_EQ(Rows(), 2u) << "a later request takes them out";
  clock_.AdvanceNs(25 * kHourNs);
  Open();
  EXPECT_EQ(Rows(), 0u) << "and so does a start";
}

// The bound holds while the program runs, not only after a start.
TEST_F(RequestLogTest, TheOldestGoBeyondTheBound) {
  constexpr uint64_t kMost = records::RequestBook::kRequestsMax;
  const auto id_of = [](uint64_t i) { return "id" + std::to_string(i); };
  // As many as may be, by hand: that is faster.
  {
    Store& store = static_cast<DatabaseImpl*>(database_.get())->core().store();
    records::RequestBook book(store, records::kServiceRequests, clock_.NowNs());
    for (uint64_t i = 0; i < kMost; ++i) book.Add(std::string("Method") + '\0' + id_of(i), 1, "");
    std::vector<records::RequestRow> rows;
    uint64_t count = 0;
    ASSERT_TRUE(book.Write(&rows, &count).ok());
    StoreBatch batch(&store);
    AddRows(rows, &batch);
    ASSERT_TRUE(store.Write(&batch, false).ok());
  }
  Open();
  ASSERT_EQ(Rows(), 2 * kMost);
  clock_.AdvanceNs(1);
  for (int i = 0; i < 40; ++i) {
    clock_.AdvanceNs(1);
    Record({"later" + std::to_string(i)}, "outcome");
  }
  EXPECT_EQ(Rows(), 2 * kMost);
  EXPECT_EQ(Found("later0"), "outcome");
  EXPECT_EQ(Found("later39"), "outcome");
}

TEST_F(RequestLogTest, OutcomesOfAnEarlierVersionAreTakenOver) {
  const auto old_value = [&](int64_t time_ns) {
    std::string value;
    Encoder(&value).U64(static_cast<uint64_t>(time_ns));
    value += Sha256Of("request").View();
    return value + "outcome";
  };
  Batch batch;
  const int64_t now = clock_.NowNs();
  batch.Put(Table::kRequests, std::string("Method\0recent", 13), old_value(now - kHourNs));
  batch.Put(Table::kRequests, std::string("Method\0old", 10), old_value(now - 30 * kHourNs));
  batch.Put(Table::kRequests, std::string("Method\0damaged", 14), "x");
  ASSERT_TRUE(database_->Write(std::move(batch)).ok());
  Open();
  EXPECT_EQ(Found("recent"), "outcome");
  EXPECT_EQ(Found("old"), std::nullopt);
  EXPECT_EQ(log_->Find("Method", "recent", "another").status().reason(), Reason::kRequestIdReused);
  EXPECT_EQ(Rows(), 2u);
  size_t left = 0;
  ASSERT_TRUE(database_
                  ->Scan(Table::kRequests, "", "", false,
                         [&](std::string_view, std::string_view) {
                           ++left;
                           return true;
                         })
                  .ok());
  EXPECT_EQ(left, 0u);
}

}  // namespace
}  // namespace ragstone::index

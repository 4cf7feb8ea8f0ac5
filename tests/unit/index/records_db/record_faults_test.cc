// What happens when memory runs out in the middle of something, or the disk while keywords are
// merged: a status for who asked, nothing half done, and everything goes on afterwards.
#include <unistd.h>

#include <atomic>
#include <new>
#include <stdexcept>
#include <thread>

#include "base/caught.h"
#include "base/crash_point.h"
#include "index/internal/testing/faulty_disk.h"
#include "tests/unit/index/records_db/restart_fixture.h"

namespace ragstone::index {
namespace {

// Where an allocation fails, and how often still.
std::atomic<const char*> failing_place{nullptr};
std::atomic<int> failures_left{0};

void FailThere(const char* name) {
  const char* const place = failing_place.load();
  if (place != nullptr && std::string_view(place) == name && failures_left.fetch_sub(1) > 0) {
    throw std::bad_alloc();
  }
}

class RecordFaultsTest : public RestartFixture {
 protected:
  void TearDown() override {
    crash_hook.store(nullptr);
    RestartFixture::TearDown();
  }
  static void Fail(const char* place, int times) {
    failures_left.store(times);
    failing_place.store(place);
    crash_hook.store(FailThere);
  }
  static int left() { return std::max(0, failures_left.load()); }
  static void ExpectMemory(const Status& status) {
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
    EXPECT_EQ(status.reason(), Reason::kMemoryLimit) << status.ToString();
  }
};

TEST(CaughtTest, WhatIsThrownBecomesAStatus) {
  const auto thrown = [](const auto& work) { return Caught("the work", work); };
  EXPECT_TRUE(thrown([] { return OkStatus(); }).ok());
  const Status memory = thrown([]() -> Status { throw std::bad_alloc(); });
  EXPECT_EQ(memory.reason(), Reason::kMemoryLimit);
  EXPECT_NE(memory.message().find("the work failed"), std::string::npos);
  const Result<int> other = thrown([]() -> Result<int> { throw std::runtime_error("bad luck"); });
  EXPECT_EQ(other.status().code(), StatusCode::kInternal);
  EXPECT_NE(other.status().message().find("bad luck"), std::string::npos);
}

TEST_F(RecordFaultsTest, TheBackgroundThreadOutlivesAFailureAtEveryPlace) {
  Create(RestartSpec());
  Answers();
  int next = 0;
  for (const char* place : {"records.before-seal", "records.sealed", "records.fields-merged",
                            "records.index-written", "records.index-named", "records.index-listed",
                            "records.index-swept", "records.gone-removed"}) {
    Fail(place, 1);
    const uint64_t before = impl().worker().failures();
    // Enough to be sealed, merged, stored and removed, again and again until it was in vain.
    for (int round = 0; round < 60 && left() > 0; ++round) {
      PutRange(next, next + 600);
      DeleteRange(next, next + 50);
      next += 600;
      for (int i = 0; i < 20 && left() > 0 && impl().worker().failures() == before; ++i) {
        usleep(1000);
      }
      const auto found = impl().Find("c");
      ASSERT_TRUE(found.ok());
      const Result<bool> tried =
          Caught("a test", [&] { return impl().worker().Maintain(found->get()); });
      if (!tried.ok()) ExpectMemory(tried.status());
    }
    EXPECT_EQ(left(), 0) << place << " was not reached";
    crash_hook.store(nullptr);
    Maintain();
    EXPECT_EQ(Count(), static_cast<uint64_t>(next / 600 * 550)) << place;
  }
  const auto answers = Answers();
  Close();
  Restart();
  EXPECT_EQ(Answers(), answers);
  EXPECT_EQ(impl().loads().damaged, 0u) << Warnings().front();
}

TEST_F(RecordFaultsTest, ASearchThatCannotReadIndexesSaysSoAndTheNextOneCan) {
  Fill(1500);
  const auto before = Answers();
  Close();
  Restart();
  Fail("records.load", 1);
  const auto found = records_->Search("c", On("first", kDimensions, 1, ""), {});
  ExpectMemory(found.status());
  EXPECT_EQ(impl().budget().used(), 0u) << "what was reserved is given back";
  EXPECT_EQ(Answers(), before);
}

// Several writers wait for one that throws; each must be told.
TEST_F(RecordFaultsTest, AWriteThatFailsHalfwayIsToldToAllWhoWait) {
  Fill(600);
  for (const char* place : {"records.before-wal", "records.after-wal"}) {
    const bool on_disk = std::string_view(place) == "records.after-wal";
    Fail(place, 1);
    std::atomic<int> refused{0};
    std::atomic<int> written{0};
    std::vector<std::thread> writers;
    for (int i = 0; i < 6; ++i) {
      writers.emplace_back([&, i] {
        for (int j = 0; j < 5; ++j) {
          const auto result = records_->Upsert("c", {Made(1000 + 10 * i + j)}, {}, {});
          if (result.ok()) {
            ++written;
          } else {
            const bool later = result.status().code() == StatusCode::kInternal;
            if (!on_disk || !later) ExpectMemory(result.status());
            ++refused;
          }
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_GE(refused, 1) << place;
    EXPECT_EQ(refused + written, 30) << place;
    crash_hook.store(nullptr);
    EXPECT_EQ(Count(), 600u + static_cast<uint64_t>(written)) << place;
    if (on_disk) {
      // Nothing is written on top of what is not shown.
      const auto later = records_->Upsert("c", {Made(1)}, {}, {});
      EXPECT_EQ(later.status().code(), StatusCode::kInternal) << later.status().ToString();
      EXPECT_NE(later.status().message().find("restart"), std::string::npos);
      Maintain();
      Crash();
    }
    // Repeated, all of them are there.
    for (int i = 0; i < 6; ++i) PutRange(1000 + 10 * i, 1000 + 10 * i + 5);
    EXPECT_EQ(Count(), 630u) << place;
    const auto before = Answers();
    Crash();
    EXPECT_EQ(Answers(), before) << place;
    EXPECT_EQ(impl().loads().damaged, 0u) << place;
    for (int i = 0; i < 6; ++i) DeleteRange(1000 + 10 * i, 1000 + 10 * i + 5);
  }
}

// Merges of keywords on a full disk leave what there was, and go on once there is room.
TEST(KeywordMergeTest, AFullDiskDelaysMergesAndLosesNothing) {
  FaultyDisk disk(20261123);
  class Fixture : public RestartFixture {
   public:
    void TestBody() override {}
    using RestartFixture::SetUp;
    using RestartFixture::TearDown;
    void Run(FaultyDisk* disk) {
      Create(Spec());
      int refused = 0;
      // A write that meets a full disk waits ten seconds for room.
      while (records_put_ < 400 && refused == 0) {
        Put({MakeRecord(IdOf(records_put_), DenseVector(kDimensions, 1.0f),
                        {{"body", "common word" + std::to_string(records_put_ % 7)}})});
        ++records_put_;
        FaultyDisk::Faults full;
        full.room_bytes = 0;
        disk->Set(full);
        refused += Merged() ? 0 : 1;
        ExpectAll();
        disk->Set({});
        for (int i = 0; i < 500 && !Merged(); ++i) usleep(20'000);
      }
      EXPECT_EQ(refused, 1) << "no merge met the full disk";
      ExpectAll();
      Maintain();
      Reopen();
      ExpectAll();
    }

   private:
    // Whether background work succeeded.
    bool Merged() {
      const auto found = impl().Find("c");
      const Result<bool> done = impl().worker().Maintain(found->get());
      return done.ok();
    }
    void ExpectAll() {
      RecordSearch search;
      search.text = "common";
      search.top_k = 1000;
      const auto all = static_cast<size_t>(records_put_);
      EXPECT_EQ(Search(search).size(), all);
      search.text = "word3";
      EXPECT_EQ(Search(search).size(), all / 7 + (all % 7 > 3 ? 1 : 0));
    }
    int records_put_ = 0;
  };
  Fixture fixture;
  fixture.SetUp();
  fixture.Run(&disk);
  fixture.TearDown();
}

}  // namespace
}  // namespace ragstone::index

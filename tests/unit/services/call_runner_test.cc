#include "services/rpc/call_runner.h"

#include <gtest/gtest.h>

#include <atomic>

namespace ragstone::services {
namespace {

using std::chrono::milliseconds;

// A gate that tasks wait at.
class Gate {
 public:
  void Open() {
    MutexLock lock(&mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void Pass() {
    MutexLock lock(&mutex_);
    ++inside_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(&mutex_);
  }
  void WaitForInside(int count) {
    MutexLock lock(&mutex_);
    while (inside_ < count) changed_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ GUARDED_BY(mutex_) = false;
  int inside_ GUARDED_BY(mutex_) = 0;
};

std::shared_ptr<CancelFlag> Flag() { return std::make_shared<CancelFlag>(); }

TEST(CallRunnerTest, FullQueueIsRefusedAndHasRoomAgainLater) {
  CallRunner runner({2, 4, 1});
  Gate gate;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(runner.Submit(CallKind::kUnary, Flag(), [&gate] { gate.Pass(); }).ok());
  }
  const Status full = runner.Submit(CallKind::kUnary, Flag(), [] {});
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(full.reason(), Reason::kQueueFull);
  EXPECT_NE(full.message().find("requests_max"), std::string::npos);
  gate.Open();
  gate.WaitForInside(4);
  Status status;
  do {
    status = runner.Submit(CallKind::kUnary, Flag(), [] {});
  } while (status.reason() == Reason::kQueueFull);
  EXPECT_TRUE(status.ok());
}

TEST(CallRunnerTest, StreamsThatStayOpenDoNotKeepUnaryCallsWaiting) {
  CallRunner runner({1, 4, 3});
  Gate gate;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(runner.Submit(CallKind::kStream, Flag(), [&gate] { gate.Pass(); }).ok());
  }
  gate.WaitForInside(3);
  EXPECT_EQ(runner.Submit(CallKind::kStream, Flag(), [] {}).reason(), Reason::kQueueFull);
  std::atomic<bool> ran{false};
  ASSERT_TRUE(runner.Submit(CallKind::kUnary, Flag(), [&ran] { ran = true; }).ok());
  while (!ran) std::this_thread::yield();
  gate.Open();
}

TEST(CallRunnerTest, StreamsSubmittedTogetherAllGetAThread) {
  CallRunner runner({1, 1, 20});
  Gate first;
  ASSERT_TRUE(runner.Submit(CallKind::kStream, Flag(), [] {}).ok());
  for (int i = 0; i < 19; ++i) {
    while (!runner.Submit(CallKind::kStream, Flag(), [&first] { first.Pass(); }).ok()) {
    }
  }
  first.WaitForInside(19);
  first.Open();
}

TEST(CallRunnerTest, StopRaisesTheFlagsOfWhatStillRunsAndRefusesNewWork) {
  CallRunner runner({2, 8, 2});
  Gate gate;
  std::atomic<int> ended{0};
  for (int i = 0; i < 6; ++i) {
    auto flag = Flag();
    ASSERT_TRUE(runner
                    .Submit(CallKind::kUnary, flag,
                            [flag, &ended] {
                              while (!flag->cancelled()) std::this_thread::yield();
                              ++ended;
                            })
                    .ok());
  }
  runner.Stop(milliseconds(20));
  EXPECT_EQ(ended, 6) << "work that was queued ends as well";
  EXPECT_EQ(runner.Submit(CallKind::kUnary, Flag(), [] {}).reason(), Reason::kShuttingDown);
  EXPECT_TRUE(runner.stopping());
  runner.Stop(milliseconds(0));
}

TEST(CallRunnerTest, StopWaitsForWorkThatEndsByItself) {
  CallRunner runner({1, 1, 1});
  auto flag = Flag();
  std::atomic<bool> raised{true};
  ASSERT_TRUE(runner
                  .Submit(CallKind::kUnary, flag,
                          [&raised, flag] {
                            std::this_thread::sleep_for(milliseconds(30));
                            raised = flag->cancelled();
                          })
                  .ok());
  runner.Stop(std::chrono::hours(1));
  EXPECT_FALSE(raised);
}

TEST(CallRunnerTest, SixteenThreadsSubmit) {
  CallRunner runner({4, 64, 16});
  std::atomic<int> ran{0};
  std::atomic<int> accepted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const CallKind kind = i % 2 == 0 ? CallKind::kUnary : CallKind::kStream;
      for (int n = 0; n < 200; ++n) {
        if (runner.Submit(kind, Flag(), [&ran] { ++ran; }).ok()) ++accepted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  runner.Stop(std::chrono::hours(1));
  EXPECT_EQ(ran, accepted);
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace ragstone::services

// Tests compute_thread.cc.
#include "llm/llama/compute_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace ragstone::llm {
namespace {

// Holds the thread until it is released.
class Gate {
 public:
  Status Pass() {
    entered_ = true;
    while (!open_) std::this_thread::yield();
    return OkStatus();
  }
  void WaitUntilEntered() const {
    while (!entered_) std::this_thread::yield();
  }
  void Open() { open_ = true; }

 private:
  std::atomic<bool> entered_{false};
  std::atomic<bool> open_{false};
};

TEST(ComputeThreadTest, ManyCallersAreServedByOneThread) {
  ComputeThread compute("the model", 64);
  std::set<std::thread::id> ids;  // no lock: only one thread writes
  int sum = 0;
  std::vector<std::thread> callers;
  for (int i = 1; i <= 16; ++i) {
    callers.emplace_back([&, i] {
      const Status status = compute.Run(
          [&] {
            ids.insert(std::this_thread::get_id());
            sum += i;
            return OkStatus();
          },
          CallContext());
      EXPECT_TRUE(status.ok());
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(sum, 136);
}

TEST(ComputeThreadTest, TheStatusOfTheWorkComesBack) {
  ComputeThread compute("the model", 1);
  const Status status = compute.Run([] { return Internal("it broke"); }, CallContext());
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_EQ(status.message(), "it broke");
}

TEST(ComputeThreadTest, ACallerThatGoesWhileItWaitsIsNotServed) {
  ComputeThread compute("the model", 4);
  Gate gate;
  std::thread first([&] { EXPECT_TRUE(compute.Run([&] { return gate.Pass(); }, {}).ok()); });
  gate.WaitUntilEntered();
  auto flag = std::make_shared<CancelFlag>();
  const CallContext context(CallContext::TimePoint::max(), flag);
  std::atomic<bool> ran{false};
  std::thread second([&] {
    const Status status = compute.Run(
        [&] {
          ran = true;
          return OkStatus();
        },
        context);
    EXPECT_EQ(status.code(), StatusCode::kCancelled);
  });
  flag->Cancel();
  second.join();
  gate.Open();
  first.join();
  EXPECT_TRUE(compute.Run([] { return OkStatus(); }, {}).ok());
  EXPECT_FALSE(ran);
}

TEST(ComputeThreadTest, TooManyCallersAreToldSo) {
  ComputeThread compute("the model", 1);
  Gate gate;
  std::thread first([&] { EXPECT_TRUE(compute.Run([&] { return gate.Pass(); }, {}).ok()); });
  gate.WaitUntilEntered();
  auto flag = std::make_shared<CancelFlag>();
  std::thread second([&] {
    const CallContext context(CallContext::TimePoint::max(), flag);
    Status status;
    do {  // the third may be there for a moment
      status = compute.Run([] { return OkStatus(); }, context);
    } while (status.code() == StatusCode::kResourceExhausted);
    EXPECT_EQ(status.code(), StatusCode::kCancelled);
  });
  // Once the second waits, a third is refused. A third that comes before it is served later.
  Status third;
  do {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
    third = compute.Run([] { return OkStatus(); },
                        CallContext(deadline, std::make_shared<CancelFlag>()));
  } while (third.code() == StatusCode::kDeadlineExceeded);
  EXPECT_EQ(third.reason(), Reason::kQueueFull);
  EXPECT_NE(third.message().find("the model has 1 requests waiting"), std::string::npos);
  flag->Cancel();
  second.join();
  gate.Open();
  first.join();
}

}  // namespace
}  // namespace ragstone::llm

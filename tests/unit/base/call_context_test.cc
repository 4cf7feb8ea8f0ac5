#include "base/call_context.h"

#include <gtest/gtest.h>

namespace ragstone {
namespace {

TEST(CallContext, IsOkByDefault) {
  EXPECT_TRUE(CallContext().Check().ok());
  EXPECT_FALSE(CallContext().has_deadline());
  EXPECT_FALSE(CallContext().trusted_local());
}

TEST(CallContext, CopiesShareTheCancellation) {
  const CallContext context;
  const CallContext copy = context;
  context.flag()->Cancel();
  EXPECT_EQ(copy.Check().code(), StatusCode::kCancelled);
}

TEST(CallContext, APassedDeadlineIsAnError) {
  const CallContext context(std::chrono::steady_clock::now(), std::make_shared<CancelFlag>());
  EXPECT_EQ(context.Check().code(), StatusCode::kDeadlineExceeded);
}

TEST(CancelFlag, CallbacksRunOnce) {
  CancelFlag flag;
  int calls = 0;
  flag.AddCallback([&] { ++calls; });
  flag.Cancel();
  flag.Cancel();
  EXPECT_EQ(calls, 1);
}

TEST(CancelFlag, ALateCallbackRunsAtOnceAndARemovedOneNever) {
  CancelFlag flag;
  int removed = 0;
  flag.RemoveCallback(flag.AddCallback([&] { ++removed; }));
  flag.Cancel();
  EXPECT_EQ(removed, 0);
  int late = 0;
  flag.AddCallback([&] { ++late; });
  EXPECT_EQ(late, 1);
}

}  // namespace
}  // namespace ragstone

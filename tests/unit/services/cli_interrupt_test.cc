#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "services/cli/interrupt.h"

namespace ragstone::services::cli {
namespace {

TEST(CliInterrupt, TheFirstSignalRaisesTheFlag) {
  Interrupt interrupt;
  EXPECT_FALSE(interrupt.flag()->cancelled());
  raise(SIGTERM);
  WaitFor(interrupt.flag().get());
  EXPECT_TRUE(interrupt.flag()->cancelled());
}

TEST(CliInterrupt, AnotherOneStartsFresh) {
  Interrupt interrupt;
  EXPECT_FALSE(interrupt.flag()->cancelled());
  raise(SIGINT);
  WaitFor(interrupt.flag().get());
  EXPECT_TRUE(interrupt.flag()->cancelled());
}

TEST(CliInterruptDeathTest, TheSecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        Interrupt interrupt;
        raise(SIGINT);
        raise(SIGINT);
      },
      testing::ExitedWithCode(130), "");
}

TEST(CliInterrupt, SleepEndsWhenTheFlagIsRaised) {
  CancelFlag flag;
  EXPECT_TRUE(SleepUnless(&flag, std::chrono::milliseconds(1)));
  std::thread user([&flag] { flag.Cancel(); });
  EXPECT_FALSE(SleepUnless(&flag, std::chrono::hours(1)));
  user.join();
  EXPECT_FALSE(SleepUnless(&flag, std::chrono::hours(1)));
}

}  // namespace
}  // namespace ragstone::services::cli

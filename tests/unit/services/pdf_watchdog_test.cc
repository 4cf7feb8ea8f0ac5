#include "services/workers/pdf_watchdog.h"

#include <gtest/gtest.h>

#include <future>

namespace ragstone::services {
namespace {

TEST(PdfWatchdogTest, FiresWhenAStepOverstays) {
  std::promise<void> fired;
  std::atomic<bool> once{false};
  PdfWatchdog watchdog(
      [&] {
        if (!once.exchange(true)) fired.set_value();
      },
      nullptr);
  watchdog.Begin(1);
  fired.get_future().wait();
  watchdog.End();
  EXPECT_TRUE(once);
}

TEST(PdfWatchdogTest, TicksWhileAStepRuns) {
  std::promise<void> ticked;
  std::atomic<int> ticks{0};
  PdfWatchdog watchdog([] { FAIL() << "fired before its time"; },
                       [&] {
                         if (++ticks == 3) ticked.set_value();
                       });
  watchdog.Begin(3'600'000);
  ticked.get_future().wait();
  watchdog.End();
  EXPECT_GE(ticks, 3);
}

TEST(PdfWatchdogTest, AnEndedStepDoesNotFire) {
  std::atomic<int> fired{0};
  {
    PdfWatchdog watchdog([&] { ++fired; }, nullptr);
    watchdog.Begin(3'600'000);
    watchdog.End();
  }
  EXPECT_EQ(fired, 0);
}

}  // namespace
}  // namespace ragstone::services

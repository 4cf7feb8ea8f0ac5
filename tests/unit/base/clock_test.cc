#include "base/clock.h"

#include <gtest/gtest.h>

namespace ragstone {
namespace {

TEST(Clock, FormatsRfc3339WithMilliseconds) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(1'769'847'330'125'999'999), "2026-01-31T08:15:30.125Z");
}

TEST(Clock, FormatsTimesBefore1970) {
  EXPECT_EQ(FormatTime(-1'000'000), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, TheFakeClockStandsStill) {
  FakeClock clock(5);
  EXPECT_EQ(clock.NowNs(), 5);
  clock.AdvanceNs(2);
  EXPECT_EQ(clock.NowNs(), 7);
}

TEST(Clock, TheSystemClockIsAfter2020) {
  EXPECT_GT(Clock::System()->NowNs(), 1'577'836'800'000'000'000);
}

}  // namespace
}  // namespace ragstone

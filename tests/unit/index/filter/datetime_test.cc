#include "index/filter/datetime.h"

#include <gtest/gtest.h>

#include <random>

namespace ragstone::index {
namespace {

int64_t Ns(std::string_view text) {
  const Result<ParsedTime> parsed = ParseTime(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? parsed->time.ns : -1;
}

TEST(DatetimeTest, TimesAreReadToTheNanosecond) {
  EXPECT_EQ(Ns("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(Ns("1970-01-01"), 0);
  EXPECT_EQ(Ns("1970-01-01T00:00:00.000000001Z"), 1);
  EXPECT_EQ(Ns("1969-12-31T23:59:59.5Z"), -500'000'000);
  EXPECT_EQ(Ns("2000-02-29T12:00:00Z"), 951'825'600'000'000'000);
  EXPECT_EQ(Ns("2024-05-01 10:20:30.5+02:00"), Ns("2024-05-01t08:20:30.5z"));
  EXPECT_EQ(Ns("2016-12-31T23:59:60Z"), Ns("2017-01-01T00:00:00Z"));
  EXPECT_TRUE(ParseTime("2024-05-01")->date_only);
  EXPECT_FALSE(ParseTime("2024-05-01T00:00:00Z")->date_only);
  EXPECT_EQ(NextDay(Datetime{0}).ns, Ns("1970-01-02"));
}

TEST(DatetimeTest, WhatIsNoTimeIsRefused) {
  for (const std::string_view bad : {"",
                                     "x",
                                     "2024",
                                     "2024-05",
                                     "2024-5-1",
                                     "2023-02-29",
                                     "2024-00-01",
                                     "2024-01-32",
                                     "2024-05-01T",
                                     "2024-05-01T10:20:30",
                                     "2024-05-01T24:00:00Z",
                                     "2024-05-01T10:60:00Z",
                                     "2024-05-01T10:20:61Z",
                                     "2024-05-01T10:20:30.Z",
                                     "2024-05-01T10:20:30.1234567890Z",
                                     "2024-05-01T10:20:30+2:00",
                                     "2024-05-01T10:20:30+24:00",
                                     "2024-05-01T10:20:30+0200",
                                     "2024-05-01T10:20:30Zx",
                                     "2024-05-01x",
                                     "1677-09-22",
                                     "2262-04-10",
                                     "0000-01-01",
                                     "9999-12-31"}) {
    EXPECT_FALSE(ParseTime(bad).ok()) << bad;
  }
}

TEST(DatetimeTest, TheEndsOfTheRangeDoNotOverflow) {
  EXPECT_LT(Ns("1677-09-23T00:00:00+23:59"), Ns("1677-09-23"));
  EXPECT_GT(Ns("2262-04-09T23:59:60.999999999-23:59"), Ns("2262-04-09"));
  EXPECT_GT(NextDay(ParseTime("2262-04-09")->time).ns, 0);
}

TEST(DatetimeTest, WrittenTimesReadBack) {
  EXPECT_EQ(FormatTime(Datetime{-1}), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(FormatTime(Datetime{1'500'000'000}), "1970-01-01T00:00:01.5Z");
  std::mt19937_64 random(7);
  for (int i = 0; i < 10'000; ++i) {
    const int64_t ns = static_cast<int64_t>(random()) / 4 * 3;
    EXPECT_EQ(Ns(FormatTime(Datetime{ns})), ns);
  }
}

// Run under the undefined-behaviour sanitizer: midnight before the earliest has no 64 bits.
TEST(DatetimeTest, EveryInstantIsWritten) {
  EXPECT_EQ(FormatTime(Datetime{INT64_MIN}), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(FormatTime(Datetime{INT64_MAX}), "2262-04-11T23:47:16.854775807Z");
}

TEST(DatetimeTest, InstantsThatNoTextNamesAreNoTimes) {
  for (const std::string_view last :
       {"1677-09-23T00:00:00+23:59", "2262-04-09T23:59:60.999999999-23:59"}) {
    const int64_t ns = Ns(last);
    EXPECT_TRUE(CheckTime(Datetime{ns}).ok()) << last;
    EXPECT_FALSE(CheckTime(Datetime{ns < 0 ? ns - 1 : ns + 1}).ok()) << last;
  }
  EXPECT_FALSE(CheckTime(Datetime{INT64_MIN}).ok());
  EXPECT_FALSE(CheckTime(Datetime{INT64_MAX}).ok());
}

}  // namespace
}  // namespace ragstone::index

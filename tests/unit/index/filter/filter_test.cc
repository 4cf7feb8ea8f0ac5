#include "index/filter/filter.h"

#include <gtest/gtest.h>

#include <limits>

#include "index/filter/datetime.h"

namespace ragstone::index {
namespace {

TEST(FilterTest, JoinsOfOneAreThatFilter) {
  EXPECT_TRUE(And({Exists("a")}) == Exists("a"));
  EXPECT_TRUE(Or({Exists("a")}) == Exists("a"));
  EXPECT_EQ(Not(Exists("a")).kind, FilterKind::kNot);
}

TEST(FilterTest, ShapesThatMeanNothingAreRefused) {
  const auto message = [](const Filter& filter) {
    const Status status = CheckShape(filter, {});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  };
  EXPECT_TRUE(CheckShape(And({}), {}).ok());
  EXPECT_TRUE(CheckShape(And({Equals("a", true), Not(Exists("b"))}), {}).ok());
  EXPECT_EQ(message(Exists("")), "a filter condition names no field");
  EXPECT_EQ(message(In("a", {})),
            "the list of values for field \"a\" is empty; give at least one value");
  EXPECT_EQ(message(Range("a", std::nullopt, std::nullopt)),
            "the range of field \"a\" has no bound; give one, or use exists");
  EXPECT_EQ(message(Contains("a", "")),
            "field \"a\" is searched for an empty text; give at least one character, or use "
            "exists");
  EXPECT_EQ(message(Equals("a", std::numeric_limits<double>::quiet_NaN())),
            "a filter compares with a number that is not finite");
  EXPECT_EQ(message(Range("a", std::nullopt, Bound{std::numeric_limits<double>::infinity(), true})),
            "a filter compares with a number that is not finite");
  EXPECT_EQ(message(Equals("a", std::string("\xff"))),
            "a filter compares with a text that is not valid UTF-8");
  Filter not_of_none;
  not_of_none.kind = FilterKind::kNot;
  EXPECT_EQ(message(Or({Exists("a"), not_of_none})), "a \"not\" filter has one child, got 0");
}

TEST(FilterTest, LimitsAreRefused) {
  FilterLimits limits;
  limits.nodes_max = 3;
  EXPECT_TRUE(CheckShape(And({Exists("a"), Exists("b")}), limits).ok());
  EXPECT_EQ(CheckShape(And({Exists("a"), Exists("b"), Exists("c")}), limits).reason(),
            Reason::kLimitExceeded);
  limits = {};
  limits.values_max = 2;
  EXPECT_EQ(CheckShape(HasId({uint64_t{1}, uint64_t{2}, uint64_t{3}}), limits).reason(),
            Reason::kLimitExceeded);
  Filter deep = Exists("a");
  for (int i = 0; i < 31; ++i) deep = Not(std::move(deep));
  EXPECT_TRUE(CheckShape(deep, {}).ok());
  EXPECT_EQ(CheckShape(Not(std::move(deep)), {}).message(),
            "the filter has more than 32 levels of nesting; split the request");
}

Schema TestSchema() {
  return *Schema::Create({{"when", FieldType::kDatetime}, {"size", FieldType::kFloat}});
}

TEST(BindFilterTest, DaysThatFollowEachOtherBecomeOneRange) {
  const auto day = [](std::string_view text) { return ParseTime(text)->time; };
  const Filter asked = In("when", {std::string("2024-03-01"), std::string("2024-02-28"),
                                   std::string("2024-02-29"), std::string("2024-02-28"),
                                   std::string("2024-05-01"), std::string("2024-05-01T10:00:00Z")});
  const auto bound = BindFilter(TestSchema(), asked);
  ASSERT_TRUE(bound.ok());
  EXPECT_TRUE(*bound ==
              Or({Range("when", Bound{day("2024-02-28"), true}, Bound{day("2024-03-02"), false}),
                  Range("when", Bound{day("2024-05-01"), true}, Bound{day("2024-05-02"), false}),
                  Equals("when", day("2024-05-01T10:00:00Z"))}));
}

TEST(BindFilterTest, WhatDaysBecomeCountsAsConditions) {
  std::vector<Scalar> following;
  std::vector<Scalar> apart;
  for (int64_t i = 0; i < 2000; ++i) {
    const int64_t ns_per_day = 86'400'000'000'000;
    following.emplace_back(FormatTime(Datetime{i * ns_per_day}).substr(0, 10));
    apart.emplace_back(FormatTime(Datetime{2 * i * ns_per_day}).substr(0, 10));
  }
  const auto bound = BindFilter(TestSchema(), In("when", following));
  ASSERT_TRUE(bound.ok());
  EXPECT_EQ(bound->kind, FilterKind::kRange);
  ASSERT_TRUE(CheckShape(In("when", apart), {}).ok());
  EXPECT_EQ(BindFilter(TestSchema(), In("when", apart)).status().reason(), Reason::kLimitExceeded);
  apart.resize(1000);
  EXPECT_TRUE(BindFilter(TestSchema(), In("when", apart)).ok());
}

TEST(BindFilterTest, InstantsBeyondTheCalendarAreRefused) {
  EXPECT_FALSE(BindFilter(TestSchema(), Equals("when", Datetime{INT64_MIN})).ok());
  EXPECT_FALSE(
      BindFilter(TestSchema(), Range("when", Bound{Datetime{INT64_MAX}, true}, std::nullopt)).ok());
  EXPECT_TRUE(BindFilter(TestSchema(), Equals("when", Datetime{0})).ok());
}

// 2^53 + 1 lies between two floats.
TEST(BindFilterTest, WholeNumbersThatAreNoFloatsAreNotRounded) {
  constexpr int64_t kWhole = int64_t{1} << 53;
  constexpr double kBelow = 9007199254740992.0;
  constexpr double kAbove = 9007199254740994.0;
  const auto bind = [](std::optional<Bound> lower, std::optional<Bound> upper) {
    return *BindFilter(TestSchema(), Range("size", std::move(lower), std::move(upper)));
  };
  for (const bool inclusive : {false, true}) {
    EXPECT_TRUE(bind(Bound{kWhole + 1, inclusive}, Bound{kWhole + 1, inclusive}) ==
                Range("size", Bound{kBelow, false}, Bound{kBelow, true}));
    // 2^53 + 3 is nearest to 2^53 + 4.
    EXPECT_TRUE(bind(Bound{kWhole + 3, inclusive}, Bound{kWhole + 3, inclusive}) ==
                Range("size", Bound{kAbove + 2, true}, Bound{kAbove + 2, false}));
    EXPECT_TRUE(bind(Bound{kWhole + 2, inclusive}, std::nullopt) ==
                Range("size", Bound{kAbove, inclusive}, std::nullopt));
    EXPECT_TRUE(bind(std::nullopt, Bound{INT64_MAX, inclusive}) ==
                Range("size", std::nullopt, Bound{9223372036854775808.0, false}));
  }
  EXPECT_FALSE(BindFilter(TestSchema(), Equals("size", kWhole + 1)).ok());
  EXPECT_FALSE(BindFilter(TestSchema(), Equals("size", INT64_MAX)).ok());
  EXPECT_TRUE(BindFilter(TestSchema(), Equals("size", kWhole + 2)).ok());
}

}  // namespace
}  // namespace ragstone::index

#include "index/filter/filter.h"

#include <gtest/gtest.h>

#include <limits>

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

}  // namespace
}  // namespace ragstone::index

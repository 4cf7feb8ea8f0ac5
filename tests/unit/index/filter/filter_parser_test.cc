#include "index/filter/filter_parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>

namespace ragstone::index {
namespace {

Scalar RandomScalar(std::mt19937_64* random) {
  switch ((*random)() % 5) {
    case 0: {
      std::string text;
      for (size_t i = (*random)() % 6; i > 0; --i) {
        static constexpr std::string_view kParts[] = {"a", "\"", "\\", "'", "\n", "é", "😀", "\x01"};
        text += kParts[(*random)() % std::size(kParts)];
      }
      return text;
    }
    case 1:
      return static_cast<int64_t>((*random)());
    case 2:
      return std::ldexp(static_cast<double>((*random)()),
                        static_cast<int>((*random)() % 200) - 160);
    case 3:
      return static_cast<double>((*random)() % 100);
    default:
      return (*random)() % 2 == 0;
  }
}

std::string RandomName(std::mt19937_64* random) {
  static constexpr std::string_view kNames[] = {"year", "a.b",   "x-1",   "with blank", "and",
                                                "In",   "größe", "@time", "5th",        "“quoted”"};
  return std::string(kNames[(*random)() % std::size(kNames)]);
}

std::optional<Bound> RandomBound(std::mt19937_64* random) {
  return Bound{RandomScalar(random), (*random)() % 2 == 0};
}

Filter RandomLeaf(std::mt19937_64* random) {
  const std::string name = RandomName(random);
  switch ((*random)() % 9) {
    case 0:
      return Exists(name);
    case 1:
      return Prefix(name, "p\"");
    case 2:
      return Contains(name, "c'");
    case 3:
      return Match(name, "m \\ m");
    case 4:
      return HasId({(*random)(), std::string("id"), uint64_t{7}});
    case 5:
      return Range(name, RandomBound(random), RandomBound(random));
    case 6:
      return Range(name, std::nullopt, RandomBound(random));
    case 7:
      return Range(name, RandomBound(random), std::nullopt);
    default:
      break;
  }
  std::vector<Scalar> values(1 + (*random)() % 3);
  for (Scalar& value : values) value = RandomScalar(random);
  return In(name, std::move(values));
}

Filter RandomFilter(int depth, std::mt19937_64* random) {
  const size_t choice = depth == 0 ? 3 : (*random)() % 4;
  if (choice == 2) return Not(RandomFilter(depth - 1, random));
  if (choice == 3) return RandomLeaf(random);
  std::vector<Filter> children((*random)() % 4);
  for (Filter& child : children) child = RandomFilter(depth - 1, random);
  return choice == 0 ? And(std::move(children)) : Or(std::move(children));
}

TEST(FilterParserTest, RandomTreesSurvivePrintingAndParsing) {
  const uint64_t seed = 20240501;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const Filter filter = RandomFilter(static_cast<int>(random() % 5), &random);
    const std::string text = PrintFilter(filter);
    const Result<Filter> parsed = ParseFilter(text);
    ASSERT_TRUE(parsed.ok()) << text << "\n" << parsed.status().ToString();
    ASSERT_TRUE(*parsed == filter) << text << "\n" << PrintFilter(*parsed);
  }
}

TEST(FilterParserTest, EveryPrefixOfAFilterIsReadOrRefusedAtItsPlace) {
  const std::string text =
      "(year >= 2020 and `a b` in (\"en\", 'de')) or not tags contains \"\\u00e9x\" and "
      "n range [1.5, 2) or has_id (1, \"x\") or when = 2024-05-01 or f is not null";
  for (size_t size = 0; size <= text.size(); ++size) {
    const Result<Filter> filter = ParseFilter(std::string_view(text).substr(0, size));
    if (filter.ok()) continue;
    int column = 0;
    ASSERT_EQ(std::sscanf(filter.status().message().c_str(), "filter, column %d:", &column), 1);
    EXPECT_GE(column, 1);
    EXPECT_LE(column, static_cast<int>(size) + 1);
  }
}

TEST(FilterParserTest, LimitsAreRefusedWithThePlace) {
  const auto refused = [](const std::string& text, const FilterLimits& limits) {
    const Result<Filter> filter = ParseFilter(text, limits);
    EXPECT_FALSE(filter.ok()) << text.substr(0, 100);
    EXPECT_EQ(filter.status().reason(), Reason::kLimitExceeded);
    return filter.status().message();
  };
  FilterLimits limits;
  limits.depth_max = 3;
  EXPECT_TRUE(ParseFilter("((a = 1))", limits).ok());
  EXPECT_EQ(refused("(((a = 1)))", limits),
            "filter, column 4: more than 3 levels of nesting; split the request");
  EXPECT_TRUE(ParseFilter("not not a", limits).ok());
  refused("not not not a", limits);
  limits = {};
  limits.nodes_max = 3;
  EXPECT_TRUE(ParseFilter("a and b", limits).ok());
  EXPECT_EQ(refused("a and b or c", limits),
            "filter, column 12: more than 3 conditions; split the request")
      << "the join of a and b is a condition, too";
  limits = {};
  limits.values_max = 2;
  EXPECT_TRUE(ParseFilter("a in (1, 2)", limits).ok());
  refused("a in (1, 2, 3)", limits);
  limits = {};
  limits.text_bytes_max = 5;
  EXPECT_TRUE(ParseFilter("a = 1", limits).ok());
  EXPECT_EQ(refused("a = 12", limits), "the filter has 6 bytes, 5 are allowed; split the request");
  // The default limits keep hostile nesting from the stack.
  refused(std::string(500'000, '('), {});
  std::string nots;
  for (int i = 0; i < 200'000; ++i) nots += "not ";
  refused(nots + "a", {});
}

TEST(FilterParserTest, InvalidUtf8IsRefused) {
  EXPECT_FALSE(ParseFilter("lang = \"\xff\"").ok());
  EXPECT_FALSE(ParseFilter("l\xc3 = 1").ok());
}

TEST(FilterParserTest, PositionsAreNoPartOfEquality) {
  EXPECT_TRUE(*ParseFilter("a = 1") == *ParseFilter("    a   =   1"));
  EXPECT_TRUE(*ParseFilter("a = 1") == Equals("a", int64_t{1}));
  EXPECT_FALSE(*ParseFilter("a = 1") == Equals("a", 1.0));
}

}  // namespace
}  // namespace ragstone::index

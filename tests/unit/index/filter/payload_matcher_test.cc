#include "index/filter/payload_matcher.h"

#include <gtest/gtest.h>

#include "index/filter/filter_parser.h"

namespace ragstone::index {
namespace {

Schema TestSchema() {
  return *Schema::Create({{"year", FieldType::kInteger},
                          {"when", FieldType::kDatetime},
                          {"draft", FieldType::kBoolean},
                          {"lang", FieldType::kKeyword},
                          {"body", FieldType::kText},
                          {"gone", FieldType::kKeyword},
                          {"none", FieldType::kKeyword, true},
                          {"tags", FieldType::kKeyword, true},
                          {"marks", FieldType::kInteger, true}});
}

bool Matches(std::string_view filter, const PointId* id = nullptr) {
  Payload payload = {
      {"year", int64_t{2021}},
      {"when", std::string("2024-05-01T12:00:00Z")},
      {"draft", false},
      {"lang", std::string("en")},
      {"body", std::string("The quick brown foxes jumped over it.")},
      {"gone", std::monostate()},
      {"none", ScalarList{}},
      {"tags", ScalarList{std::string("red"), std::string("blue")}},
      {"marks", ScalarList{int64_t{1}, int64_t{9}}},
  };
  EXPECT_TRUE(NormalizePayload(TestSchema(), &payload).ok());
  const Result<Filter> parsed = ParseFilter(filter);
  EXPECT_TRUE(parsed.ok()) << filter << ": " << parsed.status().ToString();
  const Result<Filter> bound = BindFilter(TestSchema(), *parsed);
  EXPECT_TRUE(bound.ok()) << filter << ": " << bound.status().ToString();
  const Result<PayloadMatcher> matcher = PayloadMatcher::Create(*bound);
  EXPECT_TRUE(matcher.ok()) << filter;
  return matcher->Matches(payload, id);
}

TEST(PayloadMatcherTest, ComparisonsMatch) {
  for (const std::string_view filter :
       {"year = 2021", "year != 2020", "year >= 2021", "year > 2020.5", "year <= 2021",
        "year between 2021 and 2021", "year range [2021, 2022)", "lang in (\"de\", \"en\")",
        "lang > \"em\"", "not draft", "draft = false", "when = 2024-05-01", "when <= 2024-05-01",
        "when > 2024-04-30", "when = \"2024-05-01T14:00:00+02:00\"", "", "true", "not false"}) {
    EXPECT_TRUE(Matches(filter)) << filter;
  }
  for (const std::string_view filter :
       {"year = 2020", "year > 2021", "year < 2021", "year range (2021, 2022]",
        "year between 5 and 1", "lang = \"EN\"", "lang not in (\"en\")", "draft",
        "when > 2024-05-01", "when != 2024-05-01", "when < 2024-05-01", "false"}) {
    EXPECT_FALSE(Matches(filter)) << filter;
  }
}

TEST(PayloadMatcherTest, FieldsWithoutAValueMatchNoComparison) {
  for (const std::string_view filter :
       {"gone is null", "none is null", "lang exists", "tags exists", "lang is not null",
        "gone != \"x\"", "none not in (\"x\")", "not gone contains \"x\""}) {
    EXPECT_TRUE(Matches(filter)) << filter;
  }
  for (const std::string_view filter : {"gone exists", "none exists", "lang is null", "gone = \"\"",
                                        "none >= \"\"", "gone prefix \"x\""}) {
    EXPECT_FALSE(Matches(filter)) << filter;
  }
}

TEST(PayloadMatcherTest, AListMatchesIfAnyElementDoes) {
  EXPECT_TRUE(Matches("tags = \"blue\""));
  EXPECT_TRUE(Matches("tags = \"red\" and tags = \"blue\""));
  EXPECT_FALSE(Matches("tags != \"blue\"")) << "no element may be equal";
  EXPECT_TRUE(Matches("tags contains \"lu\""));
  EXPECT_TRUE(Matches("marks > 5 and marks < 5")) << "two elements, one condition each";
  EXPECT_FALSE(Matches("marks range (1, 9)")) << "one element must lie inside";
}

TEST(PayloadMatcherTest, TextsMatchByBytesOrByWords) {
  EXPECT_TRUE(Matches("body contains \"brown fox\""));
  EXPECT_FALSE(Matches("body contains \"Brown\""));
  EXPECT_TRUE(Matches("body prefix \"The q\""));
  EXPECT_FALSE(Matches("body prefix \"quick\""));
  EXPECT_TRUE(Matches("body match \"FOX jumps\""));
  EXPECT_FALSE(Matches("body match \"fox dog\""));
}

TEST(PayloadMatcherTest, IdsMatch) {
  const PointId number = uint64_t{7};
  const PointId name = std::string("a-7");
  EXPECT_TRUE(Matches("has_id (9, 7, \"x\")", &number));
  EXPECT_TRUE(Matches("has_id (\"b\", \"a-7\")", &name));
  EXPECT_FALSE(Matches("has_id (\"7\")", &number));
  EXPECT_FALSE(Matches("has_id (7)"));
  EXPECT_TRUE(Matches("not has_id (7)"));
}

TEST(PayloadMatcherTest, JoinsFollowTheirChildren) {
  EXPECT_TRUE(Matches("year = 1 or lang = \"en\" and not draft"));
  EXPECT_FALSE(Matches("(year = 1 or lang = \"en\") and draft"));
  EXPECT_TRUE(Matches("not (draft or year = 1)"));
}

TEST(PayloadMatcherTest, WordsAreStemmedByTheLanguage) {
  const Payload payload = {{"body", std::string("Die H\xc3\xa4user am See, siehe x.log")}};
  const auto matches = [&](std::string_view text, std::string_view language) {
    return PayloadMatcher::Create(Match("body", std::string(text)), language)
        ->Matches(payload, nullptr);
  };
  EXPECT_TRUE(matches("Haus", "de"));
  EXPECT_FALSE(matches("Haus", "none"));
  EXPECT_TRUE(matches("h\xc3\xa4user SEE", "none"));
  EXPECT_TRUE(matches("log", "de")) << "parts of words are found by keyword search, too";
  EXPECT_FALSE(PayloadMatcher::Create(Match("body", "x"), "klingon").ok());
}

TEST(PayloadMatcherTest, MatchWithoutWordsIsRefused) {
  EXPECT_FALSE(PayloadMatcher::Create(Match("body", "?!")).ok());
}

}  // namespace
}  // namespace ragstone::index

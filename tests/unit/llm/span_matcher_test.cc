#include "llm/span_matcher.h"

#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <set>
#include <string>

namespace ragstone::llm {
namespace {

using Place = SpanMatcher::Place;

// Every span that can be built one byte at a time, as resolved texts.
std::set<std::string> AllSpans(const SpanMatcher& matcher) {
  std::set<std::string> spans;
  for (Place place : matcher.Starts()) {
    while (true) {
      const std::string_view rest = matcher.Rest(place);
      if (rest.empty() || !matcher.Advance(rest.substr(0, 1), &place)) break;
      if (matcher.IsEnd(place)) spans.insert(matcher.Resolve(place).text);
    }
  }
  return spans;
}

TEST(SpanMatcherTest, SpansBeginAndEndAtWords) {
  const SpanMatcher matcher({"red green"}, {}, 16);
  EXPECT_EQ(AllSpans(matcher), (std::set<std::string>{"red", "red green", "green"}));
}

TEST(SpanMatcherTest, SpansHaveAtMostTheWordsAsked) {
  const SpanMatcher matcher({"a b c d"}, {}, 2);
  EXPECT_EQ(AllSpans(matcher), (std::set<std::string>{"a", "b", "c", "d", "a b", "b c", "c d"}));
}

TEST(SpanMatcherTest, NumbersAbbreviationsAndContractionsStayWhole) {
  const SpanMatcher matcher({"3.5 of 1,000 U.S. don't"}, {}, 1);
  const std::set<std::string> spans = AllSpans(matcher);
  for (const char* whole : {"3.5", "1,000", "don't"}) EXPECT_TRUE(spans.count(whole)) << whole;
  for (const char* part : {"3", "5", "1", "000", "U", "S", "don", "t"}) {
    EXPECT_FALSE(spans.count(part)) << part;
  }
}

TEST(SpanMatcherTest, MarksThatBelongToTheSentenceAreLeftOut) {
  const SpanMatcher matcher({"It is in Paris, France."}, {}, 2);
  const std::set<std::string> spans = AllSpans(matcher);
  EXPECT_TRUE(spans.count("Paris, France"));
  EXPECT_FALSE(spans.count("France."));
  EXPECT_FALSE(spans.count("Paris,"));
}

TEST(SpanMatcherTest, ASignBeforeANumberCanBeginASpan) {
  const SpanMatcher matcher({"costs $5 (net)"}, {}, 16);
  const std::set<std::string> spans = AllSpans(matcher);
  EXPECT_TRUE(spans.count("$5"));
  EXPECT_TRUE(spans.count("5"));
  EXPECT_TRUE(spans.count("net"));
}

TEST(SpanMatcherTest, WhiteSpaceInTheSourceIsOneSpaceAndComesBackAsItWas) {
  const SpanMatcher matcher({"  the stainless\n\t steel  pump "}, {}, 16);
  Place place;
  bool found = false;
  for (const Place& start : matcher.Starts()) {
    place = start;
    if (matcher.Advance("stainless steel", &place)) {
      found = true;
      break;
    }
  }
  ASSERT_TRUE(found);
  ASSERT_TRUE(matcher.IsEnd(place));
  const SpanMatcher::Span span = matcher.Resolve(place);
  EXPECT_EQ(span.source, 0);
  EXPECT_EQ(span.text, "stainless\n\t steel");
  EXPECT_EQ(span.begin, 6u);
  EXPECT_EQ(span.end, 23u);
}

TEST(SpanMatcherTest, OneSpaceMayComeBeforeASpan) {
  const SpanMatcher matcher({"red green"}, {}, 16);
  Place place = matcher.Starts()[0];
  EXPECT_TRUE(matcher.Advance(" red", &place));
  EXPECT_EQ(matcher.Resolve(place).text, "red");
  Place again = matcher.Starts()[0];
  EXPECT_FALSE(matcher.Advance("  red", &again));
  EXPECT_FALSE(matcher.Advance(" ", &again));
  EXPECT_EQ(again.pos, again.begin);
}

TEST(SpanMatcherTest, AnAlternativeCountsOnlyAsAWhole) {
  const SpanMatcher matcher({}, {"not in the text at all"}, 2);
  EXPECT_EQ(AllSpans(matcher), (std::set<std::string>{"not in the text at all"}));
  Place place = matcher.Starts()[0];
  ASSERT_TRUE(matcher.Advance("not in the text at all", &place));
  EXPECT_EQ(matcher.Resolve(place).source, -1);
}

TEST(SpanMatcherTest, ChineseCharactersAreWordsAndAreNeverCut) {
  const SpanMatcher matcher({"東京都"}, {}, 2);
  EXPECT_EQ(AllSpans(matcher), (std::set<std::string>{"東", "京", "都", "東京", "京都"}));
  const SpanMatcher accents({"Zoë über"}, {}, 1);
  EXPECT_EQ(AllSpans(accents), (std::set<std::string>{"Zoë", "über"}));
}

TEST(SpanMatcherTest, SourcesWithoutWordsHaveNoSpans) {
  const SpanMatcher matcher({"", "   \n"}, {""}, 4);
  EXPECT_TRUE(matcher.Starts().empty());
}

// Whatever the source is, every span is a part of it, at the bytes that it names.
TEST(SpanMatcherTest, SpansOfRandomBytesAreWhereTheySay) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  const std::string alphabet = "ab1 .,'\n-\xC3\xA4\xE6\x9D\xB1\xFF$";
  for (int i = 0; i < 300; ++i) {
    std::string source;
    for (size_t n = random() % 40; n > 0; --n) source += alphabet[random() % alphabet.size()];
    const SpanMatcher matcher({source}, {}, 3);
    for (Place place : matcher.Starts()) {
      while (!matcher.Rest(place).empty() &&
             matcher.Advance(matcher.Rest(place).substr(0, 1), &place)) {
        if (!matcher.IsEnd(place)) continue;
        const SpanMatcher::Span span = matcher.Resolve(place);
        ASSERT_LT(span.begin, span.end);
        ASSERT_LE(span.end, source.size());
        EXPECT_EQ(source.substr(span.begin, span.end - span.begin), span.text);
      }
    }
  }
}

}  // namespace
}  // namespace ragstone::llm

// Covers words.cc and exact_terms.cc.
#include "index/internal/keywords/words.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ragstone::index::keywords {
namespace {

std::string Terms(std::string_view text) {
  const Result<TextTerms> split = SplitTerms(text);
  EXPECT_TRUE(split.ok());
  std::string joined;
  for (const TextWord& word : split->words) joined += word.term + " ";
  for (const TextPart& part : split->parts) joined += "+" + part.part.term + " ";
  for (const std::string& exact : split->exact) joined += exact + " ";
  return joined;
}

TEST(WordsTest, WordsAreFoldedAndStemmed) {
  EXPECT_EQ(Terms("The Replications, REPLICATED!"), "the replic replic ");
  EXPECT_EQ(Terms("STRASSE straße ﬁle"), Terms("strasse STRAßE file"));
  EXPECT_EQ(Terms("don\xe2\x80\x99t"), Terms("don't"));
}

TEST(WordsTest, FoldedWordIsKeptBesideItsStem) {
  const Result<TextTerms> split = SplitTerms("Running");
  ASSERT_EQ(split->words.size(), 1u);
  EXPECT_EQ(split->words[0].folded, "running");
  EXPECT_EQ(split->words[0].term, "run");
}

TEST(WordsTest, IdsPathsAndVersionsAreAlsoWhole) {
  EXPECT_EQ(Terms("error ERR-4012."), "error err 4012 =err-4012 ");
  EXPECT_EQ(Terms("see (/var/log/syslog.1)"), "see var log syslog 1 =var/log/syslog.1 =syslog.1 ");
  EXPECT_EQ(Terms("10.0.0.1 v1.2.3"), "10.0.0.1 v1.2.3 +v1 ");
  EXPECT_EQ(Terms("blk_-160"), "blk_ 160 +blk =blk_-160 ");
  EXPECT_EQ(Terms("well-known end. and"), Terms("well known end and"));
}

TEST(WordsTest, ObviousPartsAreFoundByThemselves) {
  EXPECT_EQ(Terms("my_name"), "my_name +my +name ");
  EXPECT_EQ(Terms("org.apache.hadoop"), "org.apache.hadoop +org +apach +hadoop ");
  EXPECT_EQ(Terms("src: /10.0.0.12:50010"), "src 10.0.0.12 50010 =10.0.0.12:50010 ");
  EXPECT_EQ(Terms("user=ab-1,ip=10.0.0.1:80"),
            "user ab 1 ip 10.0.0.1 80 =user=ab-1,ip=10.0.0.1:80 =ab-1 =10.0.0.1:80 ");
  EXPECT_EQ(Terms("hdfs://nn1:8020/a/x.log"),
            "hdfs nn1 8020 a x.log +log =hdfs://nn1:8020/a/x.log =nn1:8020/a/x.log =nn1:8020 ");
  // What surrounds an id does not change it.
  for (const char* text :
       {"id=550e8400-e29b-41d4-a716-446655440000", "(550E8400-E29B-41D4-A716-446655440000)",
        "\"550e8400-e29b-41d4-a716-446655440000\","}) {
    const std::vector<std::string> exact = SplitTerms(text)->exact;
    EXPECT_EQ(std::count(exact.begin(), exact.end(), "=550e8400-e29b-41d4-a716-446655440000"), 1)
        << text;
  }
}

TEST(WordsTest, PartsKnowTheirWord) {
  const Result<TextTerms> split = SplitTerms("see a_long.name");
  ASSERT_EQ(split->parts.size(), 2u);
  EXPECT_EQ(split->parts[0].word, 1u);
  EXPECT_EQ(split->parts[1].part.folded, "name");
}

TEST(WordsTest, WordsWithDigitsAreNotStemmed) { EXPECT_EQ(Terms("cases2s"), "cases2s "); }

TEST(WordsTest, OtherScriptsSplitIntoWords) {
  EXPECT_EQ(SplitTerms("今天天气很好")->words.size() > 1, true);
  EXPECT_EQ(Terms("Быстрая лиса"), "быстр лис ");
  EXPECT_EQ(Terms(" \t\n.,;"), "");
}

TEST(WordsTest, LongTermsAreCutButStayApart) {
  const std::string a(500, 'x');
  const std::string b = a + "y";
  const Result<TextTerms> split = SplitTerms(a + "1 " + b + "1");
  ASSERT_EQ(split->words.size(), 2u);
  EXPECT_LE(split->words[0].term.size(), kTermBytesMax);
  EXPECT_NE(split->words[0].term, split->words[1].term);
}

TEST(WordsTest, AsciiIsFoldedAsAnyOtherText) {
  // The same text with and without a character that is not ASCII.
  const std::string text = "The Quick-Brown FOX's 10.0.0.1, ERR_42/x";
  const Result<TextTerms> ascii = SplitTerms(text);
  const Result<TextTerms> wide = SplitTerms(text + " \xe2\x80\x94");
  ASSERT_EQ(ascii->words.size(), wide->words.size());
  for (size_t i = 0; i < ascii->words.size(); ++i) {
    EXPECT_EQ(ascii->words[i].term, wide->words[i].term);
  }
  EXPECT_EQ(ascii->exact, wide->exact);
}

TEST(WordsTest, AnyBytesGiveTermsWithoutNul) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string text(random() % 200, ' ');
    for (char& c : text) c = static_cast<char>(random());
    const Result<TextTerms> split = SplitTerms(text);
    ASSERT_TRUE(split.ok());
    for (const TextWord& word : split->words) {
      EXPECT_FALSE(word.term.empty());
      EXPECT_LE(word.term.size(), kTermBytesMax);
      EXPECT_EQ(word.term.find('\0'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace ragstone::index::keywords

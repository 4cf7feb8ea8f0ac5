#include "index/internal/tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ragstone::index {
namespace {

std::string Terms(std::string_view text) {
  const Result<TextTerms> split = SplitTerms(text);
  EXPECT_TRUE(split.ok());
  std::string joined;
  for (const TextWord& word : split->words) joined += word.term + " ";
  for (const std::string& compound : split->compounds) joined += compound + " ";
  return joined;
}

TEST(TokensTest, WordsAreFoldedAndStemmed) {
  EXPECT_EQ(Terms("The Replications, REPLICATED!"), "the replic replic ");
  EXPECT_EQ(Terms("STRASSE straße ﬁle"), Terms("strasse STRAßE file"));
  EXPECT_EQ(Terms("don\xe2\x80\x99t"), Terms("don't"));
}

TEST(TokensTest, FoldedWordIsKeptBesideItsStem) {
  const Result<TextTerms> split = SplitTerms("Running");
  ASSERT_EQ(split->words.size(), 1u);
  EXPECT_EQ(split->words[0].folded, "running");
  EXPECT_EQ(split->words[0].term, "run");
}

TEST(TokensTest, IdsPathsAndVersionsAreAlsoWhole) {
  EXPECT_EQ(Terms("error ERR-4012."), "error err 4012 =err-4012 ");
  EXPECT_EQ(Terms("see (/var/log/syslog.1)"), "see var log syslog 1 =var/log/syslog.1 ");
  EXPECT_EQ(Terms("10.0.0.1 v1.2.3"), "10.0.0.1 v1.2.3 ");
  EXPECT_EQ(Terms("my_name"), "my_name ");
  EXPECT_EQ(Terms("blk_-160"), "blk_ 160 =blk_-160 ");
  EXPECT_EQ(Terms("well-known end. and"), Terms("well known end and"));
}

TEST(TokensTest, WordsWithDigitsAreNotStemmed) { EXPECT_EQ(Terms("cases2s"), "cases2s "); }

TEST(TokensTest, OtherScriptsSplitIntoWords) {
  EXPECT_EQ(SplitTerms("今天天气很好")->words.size() > 1, true);
  EXPECT_EQ(Terms("Быстрая лиса"), "быстрая лиса ");
  EXPECT_EQ(Terms(" \t\n.,;"), "");
}

TEST(TokensTest, LongTermsAreCutButStayApart) {
  const std::string a(500, 'x');
  const std::string b = a + "y";
  const Result<TextTerms> split = SplitTerms(a + "1 " + b + "1");
  ASSERT_EQ(split->words.size(), 2u);
  EXPECT_LE(split->words[0].term.size(), kTermBytesMax);
  EXPECT_NE(split->words[0].term, split->words[1].term);
}

TEST(TokensTest, AnyBytesGiveTermsWithoutNul) {
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
}  // namespace ragstone::index

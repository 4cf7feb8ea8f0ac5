// Covers ingest/sentences.cc.
#include <gtest/gtest.h>

#include "ingest/chunker.h"
#include "ingest/internal/paragraphs.h"

namespace ragstone::ingest {
namespace {

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> out;
  for (const Sentence& s : SplitSentences(text)) {
    out.emplace_back(text.substr(s.begin, s.end - s.begin));
  }
  return out;
}

using Strings = std::vector<std::string>;

TEST(SentencesTest, SplitsAtFullStops) {
  EXPECT_EQ(Split("One is here. Two is there! Is three?"),
            (Strings{"One is here.", "Two is there!", "Is three?"}));
}

TEST(SentencesTest, KeepsAbbreviationsTogether) {
  EXPECT_EQ(Split("Dr. Smith met Mr. J. R. Brown. They left."),
            (Strings{"Dr. Smith met Mr. J. R. Brown.", "They left."}));
  EXPECT_EQ(Split("See Fig. 3 and Sec. Two, e.g. Table One. Done."),
            (Strings{"See Fig. 3 and Sec. Two, e.g. Table One.", "Done."}));
  EXPECT_EQ(Split("Use part No. 5 here. He said no. Then he left."),
            (Strings{"Use part No. 5 here.", "He said no.", "Then he left."}));
}

TEST(SentencesTest, KeepsNumbersTogether) {
  EXPECT_EQ(Split("It costs 3.50 euros. Version 2.1.4 is out."),
            (Strings{"It costs 3.50 euros.", "Version 2.1.4 is out."}));
}

TEST(SentencesTest, JoinsLinesOfAParagraph) {
  EXPECT_EQ(Split("A sentence that\ngoes on. Another\none.\n\nNext block"),
            (Strings{"A sentence that\ngoes on.", "Another\none.", "Next block"}));
}

TEST(SentencesTest, TableRowsAndListItemsStandAlone) {
  EXPECT_EQ(Split("Name | Size\nBolt | 4. Big\n- first\n- second\n(a) third"),
            (Strings{"Name | Size", "Bolt | 4. Big", "- first", "- second", "(a) third"}));
}

TEST(SentencesTest, SplitsChinese) {
  EXPECT_EQ(Split("这是第一句。这是第二句。"), (Strings{"这是第一句。", "这是第二句。"}));
}

TEST(SentencesTest, SurvivesBytesThatAreNoText) {
  EXPECT_TRUE(Split("").empty());
  EXPECT_TRUE(Split(" \n\n\t").empty());
  EXPECT_FALSE(Split("a\xFF\xFE. b").empty());
  EXPECT_EQ(Split(std::string_view("a\0b. C", 6)).size(), 2u);
}

TEST(SentencesTest, CutsAParagraphWithoutEnd) {
  const std::string text(200'000, 'x');
  size_t covered = 0;
  for (const Sentence& s : SplitSentences(text)) covered += s.end - s.begin;
  EXPECT_EQ(covered, text.size());
}

TEST(SentencesTest, KnowsListItems) {
  for (const char* item : {"- a", "* a", "• a", "1. a", "12) a", "(iv) a", "a) b"}) {
    EXPECT_TRUE(internal::StartsListItem(item)) << item;
  }
  for (const char* text : {"A plain line", "1.5 metres", "-5 degrees", "A. Smith", "a", ""}) {
    EXPECT_FALSE(internal::StartsListItem(text)) << text;
  }
}

TEST(SentencesTest, KnowsTheEndOfASentence) {
  EXPECT_TRUE(internal::EndsSentence("done.\") "));
  EXPECT_TRUE(internal::EndsSentence("好。"));
  EXPECT_FALSE(internal::EndsSentence("and then"));
  EXPECT_FALSE(internal::EndsSentence(""));
}

TEST(SentencesTest, KnowsDotLeaders) {
  EXPECT_TRUE(internal::HasDotLeader("Scope ........ 7"));
  EXPECT_TRUE(internal::HasDotLeader("Scope . . . . 7"));
  EXPECT_FALSE(internal::HasDotLeader("Wait... what"));
}

}  // namespace
}  // namespace ragstone::ingest

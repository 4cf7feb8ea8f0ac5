#include "llm/answer/text_words.h"

#include <gtest/gtest.h>

namespace ragstone::llm {
namespace {

std::vector<std::string> Folded(std::string_view text) {
  std::vector<std::string> out;
  for (const TextWord& word : WordsOf(text)) {
    EXPECT_LT(word.begin, word.end);
    out.push_back(word.folded);
  }
  return out;
}

TEST(TextWords, FoldsCaseAndLeavesPunctuationOut) {
  EXPECT_EQ(Folded("The ÄPFEL, (cost)"), (std::vector<std::string>{"the", "äpfel", "cost"}));
}

TEST(TextWords, KeepsPointsAndCommasInsideNumbers) {
  EXPECT_EQ(Folded("40,000.5 x 3. End"), (std::vector<std::string>{"40,000.5", "x", "3", "end"}));
}

TEST(TextWords, TakesEveryIdeographAsAWord) {
  EXPECT_EQ(Folded("中文a"), (std::vector<std::string>{"中", "文", "a"}));
}

TEST(TextWords, SurvivesInvalidUtf8) { EXPECT_EQ(Folded("a\xFF\xFE b\xE2").size(), 2u); }

TEST(TextWords, MatchesWordsThatDifferInTheirEnding) {
  EXPECT_TRUE(SameWord("invent", "invented"));
  EXPECT_TRUE(SameWord("inventing", "invention"));
  EXPECT_TRUE(SameWord("cat", "cats"));
  EXPECT_FALSE(SameWord("cat", "car"));
  EXPECT_FALSE(SameWord("1931", "1935"));
  EXPECT_FALSE(SameWord("station", "statute"));
}

TEST(TextWords, FoldsSpaces) {
  EXPECT_EQ(FoldSpaces("  a\n\t b\x01"
                       "c "),
            "a b c");
  EXPECT_EQ(SpacesForControls("a\nb\x01"), "a b ");
  EXPECT_EQ(FoldSpaces(" \n"), "");
}

TEST(TextWords, PutsForeignReferencesInRoundBrackets) {
  EXPECT_EQ(WithoutBracketNumbers("as shown [3] and [4, 5-7], not [a] or []"),
            "as shown (3) and (4, 5-7), not [a] or []");
  EXPECT_EQ(WithoutBracketNumbers("open [12"), "open [12");
}

}  // namespace
}  // namespace ragstone::llm

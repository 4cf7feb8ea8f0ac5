#include "llm/answer/prose.h"

#include <gtest/gtest.h>

namespace ragstone::llm {
namespace {

TEST(SplitCitations, TakesNumbersOutOfASentence) {
  const CitedSentence cited = SplitCitations("The pump weighs 14 kg [2][1, 3].");
  EXPECT_EQ(cited.text, "The pump weighs 14 kg.");
  EXPECT_EQ(cited.numbers, (std::vector<uint32_t>{2, 1, 3}));
}

TEST(SplitCitations, LeavesOtherBracketsAlone) {
  const CitedSentence cited = SplitCitations("An array a[i] and [sic].");
  EXPECT_EQ(cited.text, "An array a[i] and [sic].");
  EXPECT_TRUE(cited.numbers.empty());
}

TEST(SplitCitations, GivesNoTextForMarksAlone) { EXPECT_EQ(SplitCitations(" [1] .").text, ""); }

TEST(SplitCitations, SurvivesHugeNumbers) {
  EXPECT_EQ(SplitCitations("x [99999999999999999999]").numbers.size(), 1u);
}

TEST(LexicalSupport, IsTheShareOfMeaningfulWordsFound) {
  EXPECT_DOUBLE_EQ(LexicalSupport("The pump weighs 14 kg", "Pumps weigh 14 kg when empty"), 1.0);
  EXPECT_DOUBLE_EQ(LexicalSupport("The pump is blue", "The pump is heavy"), 0.5);
  EXPECT_DOUBLE_EQ(LexicalSupport("it is the", "it is the"), 0.0);
}

}  // namespace
}  // namespace ragstone::llm

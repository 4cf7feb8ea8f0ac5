#include "llm/text_normalizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ragstone::llm {
namespace {

std::string Normal(std::vector<NormalizerStep> steps, std::string_view text) {
  const TextNormalizer normalizer(std::move(steps));
  std::string out = "what was there before";
  normalizer.Normalize(text, out);
  return out;
}

TEST(TextNormalizer, LeavesTextAloneWithoutSteps) { EXPECT_EQ(Normal({}, " Aé "), " Aé "); }

TEST(TextNormalizer, AppliesUnicodeForms) {
  EXPECT_EQ(Normal({UnicodeForm::kNfc}, "e\u0301 ﬁ"), "é ﬁ");
  EXPECT_EQ(Normal({UnicodeForm::kNfd}, "é ﬁ"), "e\u0301 ﬁ");
  EXPECT_EQ(Normal({UnicodeForm::kNfkc}, "e\u0301 ﬁ"), "é fi");
  EXPECT_EQ(Normal({UnicodeForm::kNfkd}, "é ﬁ"), "e\u0301 fi");
  EXPECT_EQ(Normal({UnicodeForm::kNfkc}, "plain"), "plain");
}

// U+32FF came with Unicode 12.1 and U+1DF7 with 10.0; both have forms that the models never saw.
TEST(TextNormalizer, LeavesCharactersYoungerThanUnicode9AsTheyAre) {
  EXPECT_EQ(Normal({UnicodeForm::kNfkc}, "\u32ff"), "\u32ff");
  EXPECT_EQ(Normal({UnicodeForm::kNfd}, "a\u1dce\u1df7"), "a\u1dce\u1df7");
  EXPECT_EQ(Normal({UnicodeForm::kNfkc}, "\u32fe"), "\u30f2");
}

TEST(TextNormalizer, LowersEachCharacterByItself) {
  EXPECT_EQ(Normal({LowercaseStep()}, "ΟΔΟΣ İ ẞ"), "οδοσ i\u0307 ß");
}

TEST(TextNormalizer, StripsEveryKindOfMark) {
  EXPECT_EQ(Normal({StripAccentsStep()}, "e\u0301\u0903\u20dd é"), "e é");
  EXPECT_EQ(Normal({UnicodeForm::kNfd, StripAccentsStep()}, "é"), "e");
}

TEST(TextNormalizer, StripsWhiteSpaceWhereItIsTold) {
  EXPECT_EQ(Normal({StripStep{true, true}}, "\u3000 a b\t"), "a b");
  EXPECT_EQ(Normal({StripStep{false, true}}, " a \n"), " a");
  EXPECT_EQ(Normal({StripStep{true, false}}, " a \n"), "a \n");
  EXPECT_EQ(Normal({StripStep{true, true}}, " \n"), "");
  EXPECT_EQ(Normal({StripStep{false, false}}, " "), " ");
}

TEST(TextNormalizer, ReplacesTextAndRuns) {
  EXPECT_EQ(Normal({ReplaceStep{"``", "\"", 0}}, "``a``` `"), "\"a\"` `");
  EXPECT_EQ(Normal({ReplaceStep{" ", "_", 2}}, "a b  c    d"), "a b_c_d");
  EXPECT_EQ(Normal({ReplaceStep{"é", "", 1}}, "ééaé"), "a");
}

TEST(TextNormalizer, AppliesStepsInTheirOrder) {
  EXPECT_EQ(Normal({ReplaceStep{"A", "B", 0}, LowercaseStep(), ReplaceStep{"b", "c", 0}}, "Aa"),
            "ca");
}

}  // namespace
}  // namespace ragstone::llm

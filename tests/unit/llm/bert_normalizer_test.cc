#include "llm/bert_normalizer.h"

#include <gtest/gtest.h>

#include <random>

namespace ragstone::llm {
namespace {

std::string Normal(std::string_view text, const BertNormalizerOptions& options = {}) {
  std::string out;
  BertNormalizer(options).Append(text, out);
  return out;
}

TEST(BertNormalizer, LowersAsciiAndTurnsWhiteSpaceIntoSpaces) {
  EXPECT_EQ(Normal("Hello\tWORLD\r\n1.5"), "hello world  1.5");
}

TEST(BertNormalizer, RemovesControlCharacters) {
  EXPECT_EQ(Normal(std::string_view("a\0b\x07"
                                    "c\x7F"
                                    "d\xEF\xBB\xBF"
                                    "e\xE2\x80\x8D"
                                    "f",
                                    16)),
            "abcdef");
}

TEST(BertNormalizer, StripsAccentsHoweverTheyAreWritten) {
  EXPECT_EQ(Normal("Crème BRÛLÉE"), "creme brulee");
  EXPECT_EQ(Normal("e\xCC\x81"), "e");
  EXPECT_EQ(Normal("\xE1\xBA\xA4"), "a");  // circumflex and acute at once
}

TEST(BertNormalizer, KeepsAccentsWhereAskedTo) {
  BertNormalizerOptions options;
  options.strip_accents = false;
  EXPECT_EQ(Normal("BRÛLÉE", options), "brûlée");
}

TEST(BertNormalizer, SetsIdeographsApart) { EXPECT_EQ(Normal("ab中文c"), "ab 中  文 c"); }

TEST(BertNormalizer, DecomposesHangulIntoJamo) {
  EXPECT_EQ(Normal("한"), "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB");
}

TEST(BertNormalizer, StripsTheDotOfTheTurkishCapitalBeforeLowering) {
  EXPECT_EQ(Normal("İ"), "i");
  BertNormalizerOptions options;
  options.strip_accents = false;
  EXPECT_EQ(Normal("İ", options), "i\xCC\x87");
}

TEST(BertNormalizer, LowersSigmaWithoutRegardToItsPlace) { EXPECT_EQ(Normal("ΟΔΟΣ"), "οδοσ"); }

TEST(BertNormalizer, ReordersMarksThatItKeeps) {
  // U+302E (class 224) is no Mn in the tables it follows if kept; whatever is kept is ordered by
  // class, so two orders of the same marks give the same text.
  const std::string a = Normal("a\xE3\x80\xAE\xF0\x9D\x85\xA5"),
                    b = Normal("a\xF0\x9D\x85\xA5\xE3\x80\xAE");
  EXPECT_EQ(a, b);
}

TEST(BertNormalizer, ReadsInvalidUtf8AsReplacementWhichCleaningRemoves) {
  EXPECT_EQ(Normal("a\xFF"
                   "b\xE2\x82"
                   "c\xED\xA0\x80"
                   "d\xF5"),
            "abcd");
  BertNormalizerOptions options;
  options.clean_text = false;
  EXPECT_EQ(Normal("a\xE2\x82", options), "a\xEF\xBF\xBD");
}

TEST(BertNormalizer, ReadsEveryCodePointThatItWrites) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendCodePoint(c, text);
    size_t at = 0;
    ASSERT_EQ(ReadCodePoint(text, at), c);
    ASSERT_EQ(at, text.size());
  }
}

TEST(BertNormalizer, SurvivesRandomBytes) {
  constexpr uint32_t kSeed = 3;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes(random() % 60, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string out = Normal(bytes);
    for (size_t at = 0; at < out.size();) ASSERT_NE(ReadCodePoint(out, at), 0xFFFDu) << "not UTF-8";
  }
}

TEST(BertNormalizer, KnowsWordBreaks) {
  EXPECT_EQ(WordBreakOf('a'), WordBreak::kNone);
  EXPECT_EQ(WordBreakOf('$'), WordBreak::kPunctuation);  // ASCII symbols count
  EXPECT_EQ(WordBreakOf(0x20AC), WordBreak::kNone);      // other symbols do not
  EXPECT_EQ(WordBreakOf(0x3001), WordBreak::kPunctuation);
  EXPECT_EQ(WordBreakOf(0x3000), WordBreak::kSpace);
}

}  // namespace
}  // namespace ragstone::llm

#include "ingest/internal/unicode_text.h"

#include <gtest/gtest.h>

namespace ragstone::ingest::internal {
namespace {

TEST(UnicodeTextTest, ReadsEveryCodePointItWrites) {
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 37) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    AppendUtf8(c, &text);
    size_t pos = 0;
    ASSERT_EQ(NextCodePoint(text, &pos), c);
    ASSERT_EQ(pos, text.size());
  }
}

TEST(UnicodeTextTest, FindsTheFirstBadByte) {
  EXPECT_EQ(FindInvalidUtf8("plain \xC3\xA4 text"), std::string_view::npos);
  EXPECT_EQ(FindInvalidUtf8("ab\xFF"), 2u);
  EXPECT_EQ(FindInvalidUtf8("\xC0\xAF"), 0u);          // overlong
  EXPECT_EQ(FindInvalidUtf8("a\xE2\x82"), 1u);         // cut off
  EXPECT_EQ(FindInvalidUtf8("\xED\xA0\x80"), 0u);      // surrogate
  EXPECT_EQ(FindInvalidUtf8("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
}

TEST(UnicodeTextTest, FloorsToTheStartOfACodePoint) {
  const std::string text = "a\xE2\x82\xAC";
  EXPECT_EQ(FloorToCodePoint(text, 3), 1u);
  EXPECT_EQ(FloorToCodePoint(text, 1), 1u);
  EXPECT_EQ(FloorToCodePoint(text, 99), 4u);
}

TEST(UnicodeTextTest, ConvertsUtf16AndRefusesLoneSurrogates) {
  EXPECT_EQ(Utf16ToUtf8(std::string_view("\0h\0\xE9", 4), true), "h\xC3\xA9");
  EXPECT_EQ(Utf16ToUtf8(std::string_view("h\0\x3D\xD8\0\xDE", 6), false), "h\xF0\x9F\x98\x80");
  EXPECT_FALSE(Utf16ToUtf8(std::string_view("\xD8\x3D\0a", 4), true));
  EXPECT_FALSE(Utf16ToUtf8("odd", true));
}

TEST(UnicodeTextTest, DecodesPdfStringsByTheirMark) {
  EXPECT_EQ(DecodePdfString("Plain \x84 title"), "Plain \xE2\x80\x94 title");
  EXPECT_EQ(DecodePdfString(std::string_view("\xFE\xFF\0A\0\n\0B", 8)), "A B");
  EXPECT_EQ(DecodePdfString("\xEF\xBB\xBFtext\x01"), "text");
}

TEST(UnicodeTextTest, CleansWordsOfLigaturesAndControls) {
  EXPECT_EQ(CleanWord(U"\uFB01rst"), "first");
  EXPECT_EQ(CleanWord(U"o\uFB03ce"), "office");
  EXPECT_EQ(CleanWord(U"soft\u00ADhyphen"), "softhyphen");
  EXPECT_EQ(CleanWord(U"non\u2011breaking"), "non-breaking");
  EXPECT_EQ(CleanWord(U"m\u00B2"), "m\xC2\xB2") << "a superscript is not a letter form";
  EXPECT_EQ(CleanWord(U"e\u0301"), "\xC3\xA9");
  EXPECT_EQ(CleanWord(U"\uF0B7"), "\xE2\x80\xA2");
  EXPECT_EQ(CleanWord(U"\u0001\uE123"), "");
  EXPECT_EQ(CleanWord(U"\uFEFB"), "\xD9\x84\xD8\xA7") << "lam-alef as two letters";
  EXPECT_EQ(CleanWord(std::u32string(1, 0xD800)), "");
}

TEST(UnicodeTextTest, FoldsWhiteSpaceOfEveryKind) {
  EXPECT_EQ(FoldWhiteSpace("  a\t\n b\xC2\xA0\xE3\x80\x80"
                           "c "),
            "a b c");
  EXPECT_EQ(FoldWhiteSpace(" \n "), "");
}

TEST(UnicodeTextTest, CutsAtWords) {
  EXPECT_EQ(CutAtWord("one two three", 9), "one two");
  EXPECT_EQ(CutAtWord("short", 9), "short");
  EXPECT_EQ(CutAtWord("\xC3\xA4\xC3\xA4\xC3\xA4", 3), "\xC3\xA4");
}

TEST(UnicodeTextTest, KnowsLettersAndDirections) {
  EXPECT_TRUE(IsUpper(U'\u00C4'));
  EXPECT_TRUE(IsLower(U'\u00E4'));
  EXPECT_TRUE(IsLetter(U'\u4E2D'));
  EXPECT_TRUE(IsDigit(U'7'));
  EXPECT_TRUE(IsWhiteSpace(0xA0));
  EXPECT_TRUE(IsRightToLeft(0x0627));
  EXPECT_FALSE(IsRightToLeft(U'a'));
}

}  // namespace
}  // namespace ragstone::ingest::internal

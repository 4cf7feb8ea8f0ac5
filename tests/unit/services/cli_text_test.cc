#include <gtest/gtest.h>

#include <random>

#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

TEST(CliText, ControlCharactersNeverPass) {
  EXPECT_EQ(Sanitize("a\x1b[31mb"), "a\uFFFD[31mb");
  EXPECT_EQ(Sanitize("a\x07\x7f"), "a\uFFFD\uFFFD");
  EXPECT_EQ(Sanitize("csi \xC2\x9B"), "csi \uFFFD");              // C1 control
  EXPECT_EQ(Sanitize("rlo \xE2\x80\xAE txt"), "rlo \uFFFD txt");  // right-to-left override
  EXPECT_EQ(Sanitize("bad \xFF\xC3"), "bad \uFFFD\uFFFD");
  EXPECT_EQ(Sanitize("one\ntwo\tthree\r"), "one two three\uFFFD");
  EXPECT_EQ(SanitizeLines("one\ntwo\x1b"), "one\ntwo\uFFFD");
  EXPECT_EQ(Sanitize("Grüße 日本"), "Grüße 日本");
}

TEST(CliText, RandomBytesBecomeUtf8WithoutControls) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string safe = Sanitize(bytes);
    EXPECT_TRUE(IsUtf8(safe));
    for (const char c : safe) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
    EXPECT_EQ(Sanitize(safe), safe);
  }
}

TEST(CliText, JsonControlsAreEscapedAndNothingElse) {
  EXPECT_EQ(EscapeJsonControls("{\"a\":\"\x7f\xC2\x9B\xE2\x80\xAE\"}"),
            "{\"a\":\"\\u007f\\u009b\\u202e\"}");
  EXPECT_EQ(EscapeJsonControls("{\"a\":\"Grüße\\n\"}"), "{\"a\":\"Grüße\\n\"}");
}

TEST(CliText, WidthCountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
}

TEST(CliText, TruncationKeepsTheWidth) {
  EXPECT_EQ(TruncateToWidth("abcdef", 6), "abcdef");
  EXPECT_EQ(TruncateToWidth("abcdef", 4), "abc…");
  EXPECT_EQ(TruncateToWidth("日本語", 4), "日…");
  EXPECT_EQ(TruncateFront("/a/long/path.pdf", 9), "…path.pdf");
  EXPECT_EQ(TruncateFront("abc", 3), "abc");
}

TEST(CliText, WrapBreaksAtSpacesAndCutsLongWords) {
  EXPECT_EQ(Wrap("the quick  brown\nfox", 9), (std::vector<std::string>{"the quick", "brown fox"}));
  EXPECT_EQ(Wrap("abcdefghij k", 4), (std::vector<std::string>{"abcd", "efgh", "ij k"}));
  EXPECT_TRUE(Wrap("  \n ", 10).empty());
}

TEST(CliText, WrapOfRandomTextKeepsEveryWordWithinTheWidth) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::string text, letters;
    for (int i = 0; i < 80; ++i) {
      const char* const pieces[] = {"a", "é", "日", " ", "\n"};
      const char* piece = pieces[random() % 5];
      text += piece;
      if (*piece != ' ' && *piece != '\n') letters += piece;
    }
    std::string kept;
    for (const std::string& line : Wrap(text, 12)) {
      EXPECT_LE(DisplayWidth(line), 12);
      for (const char c : line) {
        if (c != ' ') kept += c;
      }
    }
    EXPECT_EQ(kept, letters);
  }
}

TEST(CliText, WrapOfAWideLetterIntoOneColumnEndsWithIt) {
  std::string joined;
  for (const std::string& line : Wrap("日本", 1)) joined += line;
  EXPECT_EQ(joined, "日本");
}

TEST(CliText, TablesLineUp) {
  EXPECT_EQ(FormatTable({{"ID", "PATH"}, {"123", "日本"}, {"4", "b"}}),
            "ID   PATH\n123  日本\n4    b\n");
  EXPECT_EQ(FormatTable({{"日本", "x"}, {"abcdef", "y"}}), "日本    x\nabcdef  y\n");
}

TEST(CliText, NumbersReadWell) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(uint64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(HumanDuration(7.9), "0:07");
  EXPECT_EQ(HumanDuration(754), "12:34");
  EXPECT_EQ(HumanDuration(3723), "1:02:03");
}

TEST(CliText, NearestNameIsCloseOrNothing) {
  const std::vector<std::string> names = {"--top-k", "--mode", "--collection"};
  EXPECT_EQ(NearestName("--topk", names), "--top-k");
  EXPECT_EQ(NearestName("--colection", names), "--collection");
  EXPECT_EQ(NearestName("--zzzzzz", names), "");
  EXPECT_EQ(NearestName("", {}), "");
}

}  // namespace
}  // namespace ragstone::services::cli

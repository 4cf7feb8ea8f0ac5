#include "ingest/text_parser.h"

#include <gtest/gtest.h>

namespace ragstone::ingest {
namespace {

struct Parsed {
  Status status;
  std::vector<Page> pages;
  uint32_t announced = 0;
};

Parsed Parse(std::string_view bytes, const ParseLimits& limits = {}) {
  Parsed parsed;
  PageSink sink;
  sink.opened = [&](const DocumentFacts& facts) {
    parsed.announced = facts.pages;
    return OkStatus();
  };
  sink.page = [&](Page page) {
    parsed.pages.push_back(std::move(page));
    return OkStatus();
  };
  TextParser parser;
  parsed.status = parser.Parse(bytes, limits, sink, CallContext());
  return parsed;
}

TEST(TextParserTest, GivesOnePageWithItsLines) {
  const Parsed parsed = Parse("First line\r\n\r\n  second\rthird\n");
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.ToString();
  EXPECT_EQ(parsed.announced, 1u);
  ASSERT_EQ(parsed.pages.size(), 1u);
  const Page& page = parsed.pages[0];
  EXPECT_EQ(page.number, 1u);
  EXPECT_EQ(page.text, "First line\n\n  second\nthird\n");
  ASSERT_EQ(page.lines.size(), 3u);
  EXPECT_EQ(page.text.substr(page.lines[1].begin, page.lines[1].end - page.lines[1].begin),
            "  second");
}

TEST(TextParserTest, DropsTheByteOrderMark) {
  EXPECT_EQ(Parse("\xEF\xBB\xBFtext").pages.at(0).text, "text");
}

TEST(TextParserTest, ConvertsUtf16WithAMark) {
  EXPECT_EQ(Parse(std::string_view("\xFF\xFEh\0i\0", 6)).pages.at(0).text, "hi");
  EXPECT_EQ(Parse(std::string_view("\xFE\xFF\0h\0i", 6)).pages.at(0).text, "hi");
  EXPECT_EQ(Parse("\xFF\xFEx").status.reason(), Reason::kInvalidUtf8);
}

TEST(TextParserTest, NamesTheBadByte) {
  const Parsed parsed = Parse("abc\xFFtext");
  EXPECT_EQ(parsed.status.reason(), Reason::kInvalidUtf8);
  EXPECT_NE(parsed.status.message().find("byte 3"), std::string::npos) << parsed.status.message();
}

TEST(TextParserTest, RefusesFilesWithoutText) {
  EXPECT_EQ(Parse("").status.reason(), Reason::kEmptyFile);
  EXPECT_EQ(Parse(" \n\t\n").status.reason(), Reason::kNoText);
}

TEST(TextParserTest, HoldsTheSizeLimit) {
  ParseLimits limits;
  limits.page_text_bytes_max = 10;
  EXPECT_TRUE(Parse("0123456789", limits).status.ok());
  EXPECT_EQ(Parse("0123456789a", limits).status.reason(), Reason::kFileTooLarge);
  EXPECT_EQ(Parse(std::string(100, 'x'), limits).status.reason(), Reason::kFileTooLarge);
}

TEST(TextParserTest, MarksTheRowsOfMarkdownTables) {
  const Page page = Parse("| a | b |\n|---|---|\ntext | not a row\n").pages.at(0);
  ASSERT_EQ(page.lines.size(), 3u);
  EXPECT_TRUE(page.lines[0].table_row);
  EXPECT_TRUE(page.lines[1].table_row);
  EXPECT_FALSE(page.lines[2].table_row);
}

TEST(TextParserTest, StopsWhenCancelled) {
  const auto flag = std::make_shared<CancelFlag>();
  flag->Cancel();
  PageSink sink;
  sink.opened = [](const DocumentFacts&) { return OkStatus(); };
  sink.page = [](Page) { return OkStatus(); };
  TextParser parser;
  const Status status =
      parser.Parse("text", {}, sink, CallContext(CallContext::TimePoint::max(), flag));
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
}

TEST(TextParserTest, PassesOnTheErrorOfTheSink) {
  PageSink sink;
  sink.opened = [](const DocumentFacts&) { return Internal("full"); };
  sink.page = [](Page) { return OkStatus(); };
  TextParser parser;
  EXPECT_EQ(parser.Parse("text", {}, sink, CallContext()).message(), "full");
}

}  // namespace
}  // namespace ragstone::ingest

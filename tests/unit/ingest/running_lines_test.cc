#include "ingest/internal/running_lines.h"

#include <gtest/gtest.h>

namespace ragstone::ingest::internal {
namespace {

// A page with one line for each string; the lines stand evenly from top to bottom.
Page MakePage(uint32_t number, const std::vector<std::string>& lines) {
  Page page;
  page.number = number;
  page.height = 800;
  for (size_t i = 0; i < lines.size(); ++i) {
    Line line;
    line.begin = static_cast<uint32_t>(page.text.size());
    page.text += lines[i];
    line.end = static_cast<uint32_t>(page.text.size());
    page.text += "\n";
    Word word;
    word.begin = line.begin;
    word.end = line.end;
    word.y0 = 30 + 730.0f * static_cast<float>(i) / static_cast<float>(lines.size() - 1);
    word.y1 = word.y0 + 10;
    page.words.push_back(word);
    page.lines.push_back(line);
  }
  return page;
}

std::vector<DecidedPage> Decide(const std::vector<Page>& pages) {
  RunningLines running;
  std::vector<DecidedPage> decided;
  for (const Page& page : pages) running.Add(page, &decided);
  running.Finish(&decided);
  return decided;
}

std::vector<std::string> Body(uint32_t n) {
  std::vector<std::string> lines = {"Annual Report " + std::to_string(2000 + n)};
  for (int i = 0; i < 8; ++i) {
    std::string word(5 + i, static_cast<char>('a' + i));
    lines.push_back("Body of page " + std::string(n, 'p') + word);
  }
  lines.push_back("Page " + std::to_string(n) + " of 10");
  return lines;
}

TEST(RunningLinesTest, MarksHeadsAndFeetWhateverTheirNumbers) {
  std::vector<Page> pages;
  for (uint32_t n = 1; n <= 10; ++n) pages.push_back(MakePage(n, Body(n)));
  const std::vector<DecidedPage> decided = Decide(pages);
  ASSERT_EQ(decided.size(), 10u);
  for (const DecidedPage& page : decided) {
    EXPECT_TRUE(page.running.front()) << page.number;
    EXPECT_TRUE(page.running.back()) << page.number;
    for (size_t i = 1; i + 1 < page.running.size(); ++i) EXPECT_FALSE(page.running[i]);
  }
}

TEST(RunningLinesTest, HeadsOfLeftAndRightPagesMayDiffer) {
  std::vector<Page> pages;
  for (uint32_t n = 1; n <= 12; ++n) {
    std::vector<std::string> lines = Body(n);
    lines[0] = n % 2 ? "The title of the book" : "The title of the chapter";
    pages.push_back(MakePage(n, lines));
  }
  for (const DecidedPage& page : Decide(pages)) EXPECT_TRUE(page.running.front()) << page.number;
}

TEST(RunningLinesTest, PageNumbersInRomanAndArabicGo) {
  std::vector<Page> pages;
  const char* numbers[] = {"i", "ii", "iii", "iv", "1", "2"};
  for (uint32_t n = 0; n < 6; ++n) {
    std::vector<std::string> lines = Body(n + 1);
    lines.back() = numbers[n];
    pages.push_back(MakePage(n + 1, lines));
  }
  for (const DecidedPage& page : Decide(pages)) EXPECT_TRUE(page.running.back()) << page.number;
}

TEST(RunningLinesTest, TwoPagesDecideNothing) {
  for (const DecidedPage& page : Decide({MakePage(1, Body(1)), MakePage(2, Body(2))})) {
    EXPECT_FALSE(page.running.front());
  }
}

TEST(RunningLinesTest, RepeatedLinesInTheMiddleStay) {
  std::vector<Page> pages;
  for (uint32_t n = 1; n <= 8; ++n) {
    std::vector<std::string> lines = Body(n);
    for (size_t i = 3; i < 6; ++i) lines[i] = "The same sentence in the middle";
    pages.push_back(MakePage(n, lines));
  }
  for (const DecidedPage& page : Decide(pages)) EXPECT_FALSE(page.running[4]);
}

TEST(RunningLinesTest, HoldsBackAFewPagesOnly) {
  RunningLines running;
  std::vector<DecidedPage> decided;
  for (uint32_t n = 1; n <= 100; ++n) {
    running.Add(MakePage(n, Body(n)), &decided);
    EXPECT_LE(n - decided.size(), 4u);
  }
}

}  // namespace
}  // namespace ragstone::ingest::internal

#include "ingest/internal/page_layout.h"

#include <gtest/gtest.h>

namespace ragstone::ingest::internal {
namespace {

// Builds pages of 10 point text; a letter is 5 points wide.
class Sheet {
 public:
  Sheet() {
    raw_.width = 600;
    raw_.height = 800;
  }

  RawLine& AddLine(float x, float baseline, const std::vector<std::string>& words, uint32_t block) {
    RawLine line;
    line.begin = static_cast<uint32_t>(raw_.words.size());
    for (const std::string& text : words) {
      RawWord word;
      word.text = text;
      word.x0 = x;
      word.x1 = x + 5.0f * static_cast<float>(text.size());
      word.y0 = baseline - 8;
      word.y1 = baseline + 2;
      word.baseline = baseline;
      word.font_size = 10;
      x = word.x1 + 3;
      raw_.words.push_back(word);
    }
    line.end = static_cast<uint32_t>(raw_.words.size());
    line.block = block;
    raw_.lines.push_back(line);
    return raw_.lines.back();
  }

  Page LayOut(uint32_t bytes_max = 1 << 20) {
    Page page;
    complete_ = LayOutPage(raw_, bytes_max, &page);
    return page;
  }

  RawPage raw_;
  bool complete_ = false;
};

std::string WordAt(const Page& page, size_t i) {
  return page.text.substr(page.words[i].begin, page.words[i].end - page.words[i].begin);
}

TEST(PageLayoutTest, LinesEndAndBlocksStandApart) {
  Sheet sheet;
  sheet.AddLine(50, 100, {"First", "line"}, 1);
  sheet.AddLine(50, 112, {"second"}, 1);
  sheet.AddLine(50, 150, {"Block"}, 2);
  const Page page = sheet.LayOut();
  EXPECT_EQ(page.text, "First line\nsecond\n\nBlock\n");
  ASSERT_EQ(page.lines.size(), 3u);
  ASSERT_EQ(page.words.size(), 4u);
  EXPECT_EQ(WordAt(page, 2), "second");
  EXPECT_FLOAT_EQ(page.words[0].x0, 50);
  EXPECT_FLOAT_EQ(page.lines[0].font_size, 10);
}

TEST(PageLayoutTest, ResolvesHyphensAtLineEnds) {
  Sheet sheet;
  sheet.AddLine(50, 100, {"the", "implemen-"}, 1);
  sheet.AddLine(50, 112, {"tation", "works"}, 1);
  const Page page = sheet.LayOut();
  EXPECT_EQ(page.text, "the implementation\nworks\n");
  ASSERT_EQ(page.words.size(), 4u);
  EXPECT_EQ(WordAt(page, 1), "implemen");
  EXPECT_EQ(WordAt(page, 2), "tation");
  EXPECT_FLOAT_EQ(page.words[2].y1, 114) << "the second part keeps its own box";
}

TEST(PageLayoutTest, KeepsHyphensOfCompounds) {
  Sheet sheet;
  sheet.AddLine(50, 100, {"a", "long-term", "plan", "is", "long-"}, 1);
  sheet.AddLine(50, 112, {"term", "and", "2020-"}, 1);
  sheet.AddLine(50, 124, {"2024", "and", "Anglo-"}, 1);
  sheet.AddLine(50, 136, {"Saxon"}, 1);
  EXPECT_EQ(sheet.LayOut().text,
            "a long-term plan is long-term\nand 2020-\n2024 and Anglo-\nSaxon\n");
}

TEST(PageLayoutTest, WritesTableRowsWithBars) {
  Sheet sheet;
  for (int r = 0; r < 3; ++r) {
    sheet.AddLine(50, 100.0f + 15.0f * static_cast<float>(r), {"Part", std::to_string(r)}, 1);
  }
  for (int r = 0; r < 3; ++r) {
    sheet.AddLine(250, 100.0f + 15.0f * static_cast<float>(r), {std::to_string(r * 10)}, 2);
  }
  const Page page = sheet.LayOut();
  EXPECT_EQ(page.text, "Part 0 | 0\nPart 1 | 10\nPart 2 | 20\n");
  EXPECT_TRUE(page.lines[1].table_row);
  EXPECT_EQ(WordAt(page, 2), "0");
}

TEST(PageLayoutTest, RightToLeftTablesBeginAtTheRight) {
  Sheet sheet;
  for (int r = 0; r < 3; ++r) {
    sheet.AddLine(50, 100.0f + 15.0f * static_cast<float>(r), {"links"}, 1).right_to_left = true;
    sheet.AddLine(250, 100.0f + 15.0f * static_cast<float>(r), {"rechts"}, 2).right_to_left = true;
  }
  EXPECT_EQ(sheet.LayOut().text, "rechts | links\nrechts | links\nrechts | links\n");
}

TEST(PageLayoutTest, ListMarksJoinTheirItems) {
  Sheet sheet;
  sheet.AddLine(50, 100, {"•"}, 1);
  sheet.AddLine(50, 112, {"•"}, 1);
  sheet.AddLine(70, 100, {"First", "item"}, 2);
  sheet.AddLine(70, 112, {"Second", "item"}, 2);
  EXPECT_EQ(sheet.LayOut().text, "• First item\n• Second item\n");
}

TEST(PageLayoutTest, SectionNumbersJoinTheirTitles) {
  Sheet sheet;
  sheet.AddLine(50, 100, {"2.1"}, 1);
  sheet.AddLine(80, 100, {"Scope"}, 2);
  EXPECT_EQ(sheet.LayOut().text, "2.1 Scope\n");
}

TEST(PageLayoutTest, DropCapsJoinTheirWord) {
  Sheet sheet;
  sheet.AddLine(50, 124, {"O"}, 1);
  RawWord& cap = sheet.raw_.words[0];
  cap.x1 = 75;
  cap.y0 = 90;
  cap.font_size = 36;
  sheet.AddLine(78, 100, {"ver", "three", "decades"}, 2);
  sheet.AddLine(78, 112, {"pressure", "has", "grown"}, 2);
  EXPECT_EQ(sheet.LayOut().text, "Over three decades\npressure has grown\n");
}

TEST(PageLayoutTest, ManyMarksInARowDoNotRecurse) {
  Sheet sheet;
  for (int i = 0; i < 20'000; ++i) sheet.AddLine(50, 100, {"-"}, 1);
  EXPECT_FALSE(sheet.LayOut().text.empty());
}

TEST(PageLayoutTest, TurnedTextComesLast) {
  Sheet sheet;
  sheet.AddLine(20, 400, {"margin"}, 1).rotation = 3;
  sheet.AddLine(50, 100, {"Body", "text", "of", "the", "page"}, 2);
  EXPECT_EQ(sheet.LayOut().text, "Body text of the page\n\nmargin\n");
}

TEST(PageLayoutTest, WordsWithoutSpaceStayTogether) {
  Sheet sheet;
  sheet.AddLine(50, 100, {"H", "2", "O", "boils"}, 1);
  sheet.raw_.words[0].space_after = sheet.raw_.words[1].space_after = false;
  const Page page = sheet.LayOut();
  EXPECT_EQ(page.text, "H2O boils\n");
  EXPECT_EQ(page.words.size(), 4u);
}

TEST(PageLayoutTest, CutsAtTheLimit) {
  Sheet sheet;
  for (int i = 0; i < 100; ++i)
    sheet.AddLine(50, 100.0f + 12.0f * static_cast<float>(i), {"some", "words"}, 1);
  const Page page = sheet.LayOut(300);
  EXPECT_FALSE(sheet.complete_);
  EXPECT_LE(page.text.size(), 300u);
  EXPECT_FALSE(page.text.empty());
}

TEST(PageLayoutTest, AnEmptyPageHasNoText) {
  Sheet sheet;
  EXPECT_EQ(sheet.LayOut().text, "");
  EXPECT_TRUE(sheet.complete_);
}

}  // namespace
}  // namespace ragstone::ingest::internal

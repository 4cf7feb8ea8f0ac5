#include "ingest/internal/headings.h"

#include <gtest/gtest.h>

namespace ragstone::ingest::internal {
namespace {

// A document whose body is 11 point regular.
BodyType Body11() {
  Page page;
  page.text = std::string(1000, 'x');
  Line line;
  line.end = 1000;
  line.font_size = 11;
  page.lines.push_back(line);
  BodyType body;
  body.Observe(page);
  return body;
}

struct Sample {
  std::string text;
  float size = 11;
  bool bold = false;
  size_t block_lines = 1;
};

std::optional<HeadingStyle> Classify(const Sample& sample) {
  Line line;
  line.end = static_cast<uint32_t>(sample.text.size());
  line.font_size = sample.size;
  line.bold = sample.bold;
  LineContext context;
  context.text = sample.text;
  context.line = &line;
  context.block_lines = sample.block_lines;
  return ClassifyHeading(context, Body11(), /*markdown=*/false);
}

TEST(HeadingsTest, LearnsTheSizeOfMostLetters) {
  EXPECT_FLOAT_EQ(Body11().size(), 11);
  EXPECT_FALSE(Body11().bold());
  EXPECT_FLOAT_EQ(BodyType().size(), 0);
}

TEST(HeadingsTest, LargerLinesAreHeadings) {
  EXPECT_TRUE(Classify({"Findings", 14}));
  EXPECT_FALSE(Classify({"Findings", 11.5}));
  EXPECT_FALSE(Classify({"A quote in large letters that runs over many words and ends.", 14}));
  EXPECT_FALSE(Classify({"Findings,", 14})) << "a comma goes on";
  EXPECT_FALSE(Classify({"12 / 34", 20})) << "hardly a letter";
}

TEST(HeadingsTest, BoldLinesThatStandAloneAreHeadings) {
  EXPECT_TRUE(Classify({"Probable cause", 11, true, 1}));
  EXPECT_FALSE(Classify({"a bold line in a paragraph of bold lines", 11, true, 6}));
  EXPECT_FALSE(Classify({"A bold sentence that says something and then ends.", 11, true, 1}));
}

TEST(HeadingsTest, NumberedLinesAreHeadings) {
  const std::optional<HeadingStyle> style = Classify({"3.2 Scope of work"});
  ASSERT_TRUE(style);
  EXPECT_EQ(style->depth, 2u);
  EXPECT_FALSE(Classify({"3.2 is the number of litres"})) << "no title";
  EXPECT_FALSE(Classify({"1. Go to the shop"})) << "an item of a list";
  EXPECT_TRUE(Classify({"1. INTRODUCTION"}));
}

TEST(HeadingsTest, NumberDepthCountsParts) {
  EXPECT_EQ(NumberDepth("3 Scope"), 1u);
  EXPECT_EQ(NumberDepth("3.2.1 Scope"), 3u);
  EXPECT_EQ(NumberDepth("A.1 Tables"), 2u);
  EXPECT_EQ(NumberDepth("IV. Results"), 1u);
  EXPECT_EQ(NumberDepth("Chapter 4"), 1u);
  EXPECT_EQ(NumberDepth("Appendix B: Tables"), 1u);
  EXPECT_EQ(NumberDepth("Section 4.2"), 2u);
  EXPECT_EQ(NumberDepth("2024 Results"), 0u);
  EXPECT_EQ(NumberDepth("3.2 litres"), 0u);
  EXPECT_EQ(NumberDepth("Part of it"), 0u);
  EXPECT_EQ(NumberDepth("Scope"), 0u);
}

TEST(HeadingsTest, MarkdownMarksHeadings) {
  Line line;
  LineContext context;
  context.line = &line;
  context.text = "### Title ##";
  const std::optional<HeadingStyle> style = ClassifyHeading(context, BodyType(), true);
  ASSERT_TRUE(style);
  EXPECT_EQ(style->depth, 3u);
  EXPECT_EQ(HeadingTitle(context.text, *style), "Title");
  context.text = "#hashtag";
  EXPECT_FALSE(ClassifyHeading(context, BodyType(), true));
  context.text = "Underlined";
  context.next = "=====";
  context.block_lines = 2;
  EXPECT_EQ(ClassifyHeading(context, BodyType(), true)->depth, 1u);
}

TEST(HeadingsTest, StackNestsByNumberSizeAndWeight) {
  HeadingStack stack;
  HeadingStyle style;
  style.size = 18;
  stack.Push(style, "Report");
  style.size = 14;
  stack.Push(style, "Methods");
  style.size = 11;
  style.bold = true;
  stack.Push(style, "Sampling");
  EXPECT_EQ(stack.Path(), "Report > Methods > Sampling");
  EXPECT_EQ(stack.ParentPath(), "Report > Methods");
  style.size = 14;
  style.bold = false;
  stack.Push(style, "Results");
  EXPECT_EQ(stack.Path(), "Report > Results");
}

TEST(HeadingsTest, StackNestsByDepthWhereThereAreNumbers) {
  HeadingStack stack;
  const auto push = [&](uint32_t depth, const char* title) {
    HeadingStyle style;
    style.depth = depth;
    style.size = 12;
    stack.Push(style, title);
  };
  push(1, "3 Scope");
  push(2, "3.2 Limits");
  push(2, "3.3 Terms");
  EXPECT_EQ(stack.Path(), "3 Scope > 3.3 Terms");
  push(1, "4 Work");
  EXPECT_EQ(stack.Path(), "4 Work");
}

TEST(HeadingsTest, LongPathsLoseTheirOuterTitles) {
  HeadingStack stack;
  for (uint32_t depth = 1; depth <= 4; ++depth) {
    HeadingStyle style;
    style.markdown = true;
    style.depth = depth;
    stack.Push(style, std::string(80, static_cast<char>('a' + depth)) + std::to_string(depth));
  }
  const std::string path = stack.Path();
  EXPECT_LE(path.size(), 200u);
  EXPECT_NE(path.find('4'), std::string::npos);
  EXPECT_EQ(path.find('1'), std::string::npos);
}

TEST(HeadingsTest, StackIsBounded) {
  HeadingStack stack;
  for (uint32_t depth = 1; depth <= 100; ++depth) {
    HeadingStyle style;
    style.markdown = true;
    style.depth = depth;
    stack.Push(style, "t");
  }
  EXPECT_LE(stack.depth(), 6u);
}

}  // namespace
}  // namespace ragstone::ingest::internal

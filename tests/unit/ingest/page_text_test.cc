#include "ingest/poppler/page_text.h"

#include <PDFDoc.h>
#include <gtest/gtest.h>

#include "ingest/poppler/poppler_parser.h"
#include "tests/testing/pdf_writer.h"

namespace ragstone::ingest {
namespace {

using testing::PdfWriter;

PageText Read(const std::string& bytes, uint32_t chars_max) {
  const PopplerParser initialised;
  PDFDoc document(
      new MemStream(bytes.data(), 0, static_cast<Goffset>(bytes.size()), Object(objNull)));
  PageTextLimits limits;
  limits.chars_max = chars_max;
  return ReadPageText(&document, 1, limits);
}

TEST(PageTextTest, GivesWordsInLinesAndBlocks) {
  PdfWriter pdf;
  pdf.AddPage();
  pdf.Add(72, 100, "Two words");
  pdf.Add(72, 400, "Far below");
  const PageText text = Read(pdf.Finish(), 1000);
  ASSERT_EQ(text.raw.words.size(), 4u);
  ASSERT_EQ(text.raw.lines.size(), 2u);
  EXPECT_NE(text.raw.lines[0].block, text.raw.lines[1].block);
  EXPECT_EQ(text.raw.words[3].text, "below");
  EXPECT_NEAR(text.raw.words[0].baseline, 100, 0.5);
  EXPECT_FALSE(text.cut);
}

TEST(PageTextTest, StopsAtTheLimitOfCharacters) {
  PdfWriter pdf;
  pdf.AddPage();
  pdf.Add(72, 100, "abcdefghij");
  const PageText text = Read(pdf.Finish(), 4);
  EXPECT_TRUE(text.cut);
  ASSERT_EQ(text.raw.words.size(), 1u);
  EXPECT_EQ(text.raw.words[0].text, "abcd");
}

TEST(PageTextTest, TellsTurnedText) {
  PdfWriter pdf;
  pdf.AddPage();
  PdfWriter::Text text;
  text.text = "Turned";
  text.quarter_turns = 1;
  text.x = 300;
  text.y = 400;
  pdf.Add(text);
  const PageText page = Read(pdf.Finish(), 1000);
  ASSERT_EQ(page.raw.lines.size(), 1u);
  EXPECT_EQ(page.raw.lines[0].rotation, 3u);
}

}  // namespace
}  // namespace ragstone::ingest

#include "ingest/poppler/poppler_parser.h"

#include <gtest/gtest.h>

#include <random>

#include "ingest/internal/unicode_text.h"
#include "tests/testing/pdf_writer.h"

namespace ragstone::ingest {
namespace {

using testing::PdfWriter;

struct Parsed {
  Status status;
  DocumentFacts facts;
  std::vector<Page> pages;
};

Parsed Parse(std::string_view bytes, const ParseLimits& limits = {},
             PopplerParser::PageHook hook = nullptr, const CallContext& context = CallContext()) {
  Parsed parsed;
  PageSink sink;
  sink.opened = [&](const DocumentFacts& facts) {
    parsed.facts = facts;
    return OkStatus();
  };
  sink.page = [&](Page page) {
    parsed.pages.push_back(std::move(page));
    return OkStatus();
  };
  PopplerParser parser(std::move(hook));
  parsed.status = parser.Parse(bytes, limits, sink, context);
  return parsed;
}

const Word* FindWord(const Page& page, std::string_view text) {
  for (const Word& word : page.words) {
    if (std::string_view(page.text).substr(word.begin, word.end - word.begin) == text) return &word;
  }
  return nullptr;
}

std::vector<std::string> Paragraph(const std::string& name) {
  std::vector<std::string> lines;
  for (int i = 0; i < 12; ++i) {
    lines.push_back("This is line " + std::to_string(i) + " of the " + name + " column of text");
  }
  return lines;
}

TEST(PopplerParserTest, ReadsTextFactsAndLabels) {
  PdfWriter pdf;
  pdf.SetInfo("Annual (2024)", "A. Writer");
  pdf.LabelRoman(1);
  pdf.AddPage();
  pdf.Add(72, 100, "Preface text");
  pdf.AddPage();
  pdf.Add(72, 100, "Body text");
  const Parsed parsed = Parse(pdf.Finish());
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.ToString();
  EXPECT_EQ(parsed.facts.pages, 2u);
  EXPECT_EQ(parsed.facts.author, "A. Writer");
  ASSERT_EQ(parsed.pages.size(), 2u);
  EXPECT_EQ(parsed.pages[0].text, "Preface text\n");
  EXPECT_EQ(parsed.pages[0].label, "i");
  EXPECT_EQ(parsed.pages[1].label, "1");
  EXPECT_EQ(parsed.pages[1].number, 2u);
}

TEST(PopplerParserTest, BoxesCountFromTheTopLeft) {
  PdfWriter pdf;
  pdf.AddPage();
  pdf.Add(72, 100, "Word");
  const Page page = Parse(pdf.Finish()).pages.at(0);
  EXPECT_FLOAT_EQ(page.width, 612);
  EXPECT_FLOAT_EQ(page.height, 792);
  const Word* word = FindWord(page, "Word");
  ASSERT_NE(word, nullptr);
  EXPECT_NEAR(word->x0, 72, 1);
  EXPECT_GT(word->y1, 100);
  EXPECT_LT(word->y0, 100);
  EXPECT_NEAR(word->y1, 102, 2.5);
}

TEST(PopplerParserTest, BoxesFollowTheCropBox) {
  PdfWriter pdf;
  PdfWriter::PageOptions options;
  options.crop = {50, 100, 562, 742};
  pdf.AddPage(options);
  pdf.Add(72, 150, "Word");
  const Page page = Parse(pdf.Finish()).pages.at(0);
  EXPECT_FLOAT_EQ(page.width, 512);
  EXPECT_FLOAT_EQ(page.height, 642);
  const Word* word = FindWord(page, "Word");
  ASSERT_NE(word, nullptr);
  EXPECT_NEAR(word->x0, 22, 1);
  EXPECT_NEAR(word->y1, 102, 2.5);
}

TEST(PopplerParserTest, BoxesFollowTheRotationOfThePage) {
  PdfWriter pdf;
  PdfWriter::PageOptions options;
  options.rotate = 90;
  pdf.AddPage(options);
  // Shown upright once the page is turned by 90 degrees clockwise.
  PdfWriter::Text text;
  text.x = 200;
  text.y = 700;
  text.text = "Sideways";
  text.quarter_turns = 1;
  pdf.Add(text);
  const Page page = Parse(pdf.Finish()).pages.at(0);
  EXPECT_FLOAT_EQ(page.width, 792);
  EXPECT_FLOAT_EQ(page.height, 612);
  const Word* word = FindWord(page, "Sideways");
  ASSERT_NE(word, nullptr);
  EXPECT_NEAR(word->x0, 92, 1);  // 792 - 700
  EXPECT_GT(word->x1 - word->x0, 30);
  EXPECT_NEAR(word->y1, 202, 2.5);
}

TEST(PopplerParserTest, ColumnsAreReadOneAfterTheOther) {
  PdfWriter pdf;
  pdf.AddPage();
  const std::vector<std::string> left = Paragraph("left"), right = Paragraph("right");
  // Written row by row, as some programs do.
  for (size_t i = 0; i < left.size(); ++i) {
    pdf.Add(50, 100 + 13.0 * static_cast<double>(i), left[i]);
    pdf.Add(320, 100 + 13.0 * static_cast<double>(i), right[i]);
  }
  const std::string text = Parse(pdf.Finish()).pages.at(0).text;
  EXPECT_LT(text.find("line 11 of the left"), text.find("line 0 of the right")) << text;
  EXPECT_EQ(text.find(" | "), std::string::npos);
}

TEST(PopplerParserTest, TablesAreReadByRows) {
  PdfWriter pdf;
  pdf.AddPage();
  const char* const names[] = {"Item", "Bolt", "Plate", "Washer"};
  const char* const sizes[] = {"Width", "4 mm", "120 mm", "8 mm"};
  const char* const prices[] = {"Price", "0.10", "12.50", "0.02"};
  for (int r = 0; r < 4; ++r) {
    const double y = 100 + 16.0 * r;
    pdf.Add(72, y, names[r]);
    pdf.Add(220, y, sizes[r]);
    pdf.Add(380, y, prices[r]);
  }
  const Page page = Parse(pdf.Finish()).pages.at(0);
  EXPECT_EQ(page.text,
            "Item | Width | Price\nBolt | 4 mm | 0.10\nPlate | 120 mm | 12.50\n"
            "Washer | 8 mm | 0.02\n");
  for (const Line& line : page.lines) EXPECT_TRUE(line.table_row);
}

TEST(PopplerParserTest, TellsSizeAndWeight) {
  PdfWriter pdf;
  pdf.AddPage();
  PdfWriter::Text title;
  title.text = "A Bold Title";
  title.size = 18;
  title.font = PdfWriter::Font::kBold;
  title.y = 80;
  pdf.Add(title);
  pdf.Add(72, 120, "Body text that is plain");
  const Page page = Parse(pdf.Finish()).pages.at(0);
  ASSERT_EQ(page.lines.size(), 2u);
  EXPECT_TRUE(page.lines[0].bold);
  EXPECT_NEAR(page.lines[0].font_size, 18, 0.5);
  EXPECT_FALSE(page.lines[1].bold);
  EXPECT_NEAR(page.lines[1].font_size, 11, 0.5);
}

TEST(PopplerParserTest, ResolvesLigaturesHyphensAndPrivateBullets) {
  PdfWriter pdf;
  pdf.MapByte('A', "FB01");
  pdf.MapByte('B', "F0B7");
  for (const char c : std::string("nalrestd")) {
    char hex[8];
    std::snprintf(hex, sizeof(hex), "%04X", static_cast<unsigned>(c));
    pdf.MapByte(static_cast<unsigned char>(c), hex);
  }
  pdf.AddPage();
  PdfWriter::Text text;
  text.font = PdfWriter::Font::kMapped;
  text.text = "Anal";
  pdf.Add(text);
  text.text = "B";
  text.y = 200;
  pdf.Add(text);
  pdf.AddLines(72, 300,
               {"This text has a hyphen at the implemen-", "tation of the line, as books do"});
  const std::string page = Parse(pdf.Finish()).pages.at(0).text;
  EXPECT_NE(page.find("final"), std::string::npos) << page;
  EXPECT_NE(page.find("\xE2\x80\xA2"), std::string::npos);
  EXPECT_NE(page.find("implementation\nof the line"), std::string::npos) << page;
}

TEST(PopplerParserTest, RightToLeftTextIsInReadingOrder) {
  PdfWriter pdf;
  // Drawn from left to right as it stands on the page: the last letter first.
  pdf.MapByte('a', "05DD");
  pdf.MapByte('b', "05D5");
  pdf.MapByte('c', "05DC");
  pdf.MapByte('d', "05E9");
  pdf.MapByte('e', "06440627");  // a lam-alef ligature
  pdf.MapByte('f', "0633");
  pdf.AddPage();
  PdfWriter::Text text;
  text.font = PdfWriter::Font::kMapped;
  text.text = "abcd";
  pdf.Add(text);
  text.text = "ef";
  text.y = 150;
  pdf.Add(text);
  const std::string page = Parse(pdf.Finish()).pages.at(0).text;
  EXPECT_NE(page.find("\u05E9\u05DC\u05D5\u05DD"), std::string::npos) << page;
  EXPECT_NE(page.find("\u0633\u0644\u0627"), std::string::npos) << page;
}

TEST(PopplerParserTest, DiagonalTextIsLeftOut) {
  PdfWriter pdf;
  pdf.AddPage();
  PdfWriter::Text mark;
  mark.text = "DRAFT";
  mark.size = 60;
  mark.x = 200;
  mark.y = 500;
  mark.degrees = 45;
  pdf.Add(mark);
  pdf.Add(72, 100, "Upright text");
  EXPECT_EQ(Parse(pdf.Finish()).pages.at(0).text, "Upright text\n");
}

TEST(PopplerParserTest, CountsImages) {
  PdfWriter pdf;
  PdfWriter::PageOptions options;
  options.image = true;
  pdf.AddPage(options);
  pdf.AddPage();
  const Parsed parsed = Parse(pdf.Finish());
  EXPECT_EQ(parsed.pages.at(0).images, 1u);
  EXPECT_EQ(parsed.pages.at(0).text, "");
  EXPECT_EQ(parsed.pages.at(1).images, 0u);
}

TEST(PopplerParserTest, RefusesWhatIsNoPdf) {
  EXPECT_EQ(Parse("").status.reason(), Reason::kEmptyFile);
  EXPECT_EQ(Parse("just text").status.reason(), Reason::kNotPdf);
  EXPECT_EQ(Parse("%PDF-1.7\nand nothing more").status.reason(), Reason::kPdfDamaged);
  EXPECT_EQ(Parse(PdfWriter().Finish()).status.reason(), Reason::kPdfNoPages);
}

TEST(PopplerParserTest, RepairsALostTableOfObjects) {
  PdfWriter pdf;
  pdf.AddPage();
  pdf.Add(72, 100, "Still readable");
  std::string bytes = pdf.Finish();
  bytes.replace(bytes.find("startxref\n") + 10, 1, "9");
  const Parsed parsed = Parse(bytes);
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.ToString();
  EXPECT_EQ(parsed.pages.at(0).text, "Still readable\n");
}

TEST(PopplerParserTest, HoldsThePageLimit) {
  PdfWriter pdf;
  for (int i = 0; i < 3; ++i) pdf.AddPage();
  ParseLimits limits;
  limits.pages_max = 2;
  const Parsed parsed = Parse(pdf.Finish(), limits);
  EXPECT_EQ(parsed.status.reason(), Reason::kTooManyPages);
  EXPECT_NE(parsed.status.message().find("3 pages"), std::string::npos);
}

TEST(PopplerParserTest, CutsThePageText) {
  PdfWriter pdf;
  pdf.AddPage();
  for (int i = 0; i < 40; ++i) pdf.Add(72, 50 + 16.0 * i, "a line with some words in it");
  ParseLimits limits;
  limits.page_text_bytes_max = 200;
  const Page page = Parse(pdf.Finish(), limits).pages.at(0);
  EXPECT_LE(page.text.size(), 200u);
  EXPECT_FALSE(page.warning.empty());
}

// An endless page: a form that shows itself many times over many levels.
TEST(PopplerParserTest, LeavesAPageThatTakesTooLong) {
  PdfWriter pdf;
  pdf.AddPage();
  std::string content;
  for (int i = 0; i < 400'000; ++i) content += "q 1 0 0 1 0 0 cm 0 0 m 5 5 l S Q\n";
  pdf.AddRaw(content);
  ParseLimits limits;
  limits.page_time_ms_max = 1;
  const Parsed parsed = Parse(pdf.Finish(), limits);
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.ToString();
  EXPECT_NE(parsed.pages.at(0).warning.find("1 ms"), std::string::npos) << parsed.pages[0].warning;
}

TEST(PopplerParserTest, StopsAtTheDocumentLimitAndWhenCancelled) {
  PdfWriter pdf;
  for (int i = 0; i < 3; ++i) pdf.AddPage();
  const std::string bytes = pdf.Finish();
  ParseLimits limits;
  limits.document_time_ms_max = 0;
  EXPECT_EQ(Parse(bytes, limits).status.reason(), Reason::kTimeLimit);
  const auto flag = std::make_shared<CancelFlag>();
  const Parsed cancelled = Parse(
      bytes, {},
      [&](uint32_t page) {
        if (page == 2) flag->Cancel();
      },
      CallContext(CallContext::TimePoint::max(), flag));
  EXPECT_EQ(cancelled.status.code(), StatusCode::kCancelled);
  EXPECT_EQ(cancelled.pages.size(), 1u);
}

TEST(PopplerParserTest, SurvivesDamagedCopies) {
  PdfWriter pdf;
  pdf.LabelRoman(1);
  for (int p = 0; p < 2; ++p) {
    pdf.AddPage();
    pdf.AddLines(72, 100, Paragraph("only"));
  }
  const std::string good = pdf.Finish();
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE("seed 5, round " + std::to_string(round));
    std::string bad = good;
    for (int i = 0; i < 12; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    const Parsed parsed = Parse(bad);
    for (const Page& page : parsed.pages) {
      ASSERT_EQ(internal::FindInvalidUtf8(page.text), std::string::npos);
      for (const Word& word : page.words) ASSERT_LE(word.end, page.text.size());
    }
    ASSERT_TRUE(parsed.status.ok() || parsed.status.reason() != Reason::kUnspecified);
  }
}

}  // namespace
}  // namespace ragstone::ingest

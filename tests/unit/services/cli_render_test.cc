#include <gtest/gtest.h>

#include <sstream>

#include "services/cli/render.h"

namespace ragstone::services::cli {
namespace {

class CliRenderTest : public testing::Test {
 protected:
  std::ostringstream out_, err_;
  Output plain_{&out_, &err_, {.width = 20}, false};
};

TEST_F(CliRenderTest, PlacesArePagesOrLines) {
  v1::Passage passage;
  passage.set_path("/a.pdf");
  passage.set_page(7);
  EXPECT_EQ(PassagePlace(passage), "/a.pdf, p. 7");
  passage.set_page_label("7");
  EXPECT_EQ(PassagePlace(passage), "/a.pdf, p. 7");
  passage.set_page_label("iv\x1b");
  EXPECT_EQ(PassagePlace(passage), "/a.pdf, p. 7 (iv\uFFFD)");
  passage.set_line(12);
  EXPECT_EQ(PassagePlace(passage), "/a.pdf, line 12");
}

TEST_F(CliRenderTest, TextIsIndentedWrappedAndCut) {
  EXPECT_EQ(Indented("one two three four five six", 4, plain_),
            "    one two three\n    four five six\n");
  EXPECT_EQ(Indented("one two three four five six", 4, plain_, 1), "    one two three …\n");
}

TEST_F(CliRenderTest, HitsAndCitationsAreSafe) {
  v1::Passage passage;
  passage.set_path("/a.md");
  passage.set_line(3);
  passage.set_heading("Top > Sub");
  passage.set_text("text\x1b[0m");
  passage.set_score(0.12345);
  EXPECT_EQ(FormatHit(2, passage, plain_),
            "2. /a.md, line 3  0.123\n   Top > Sub\n   text\uFFFD[0m\n");
  v1::Citation citation;
  citation.set_n(1);
  citation.set_path("/a.pdf");
  citation.set_page(2);
  citation.set_quote("two\nlines");
  EXPECT_EQ(FormatCitation(citation, plain_), "[1] /a.pdf, p. 2: \"two lines\"");
}

TEST_F(CliRenderTest, NoTimeIsADash) {
  EXPECT_EQ(FormatTimeOrDash(0), "-");
  EXPECT_EQ(FormatTimeOrDash(1'000'000'000), "1970-01-01T00:00:01.000Z");
}

}  // namespace
}  // namespace ragstone::services::cli

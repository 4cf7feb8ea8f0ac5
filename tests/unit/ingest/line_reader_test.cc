#include "ingest/internal/line_reader.h"

#include <gtest/gtest.h>

namespace ragstone::ingest::internal {
namespace {

struct Sample {
  std::string text;
  bool running = false;
  bool table_row = false;
};

// Reads pages of lines; "" makes an empty line.
class LineReaderTest : public ::testing::Test {
 protected:
  void Read(const std::vector<Sample>& lines, bool markdown = false) {
    if (!reader_) reader_ = std::make_unique<LineReader>(markdown, &body_, &text_);
    DecidedPage page;
    page.number = ++pages_;
    for (const Sample& sample : lines) {
      if (!sample.text.empty()) {
        Line line;
        line.begin = static_cast<uint32_t>(page.text.size());
        line.end = static_cast<uint32_t>(line.begin + sample.text.size());
        line.table_row = sample.table_row;
        page.lines.push_back(line);
        page.running.push_back(sample.running);
      }
      page.text += sample.text + "\n";
    }
    const uint64_t base = text_.AddPage(page.number, page.text);
    reader_->Read(page, base, &units_);
  }

  std::vector<std::string> Finish() {
    reader_->Finish(&units_);
    std::vector<std::string> out;
    for (const Unit& unit : units_) {
      const char* kinds[] = {"H:", "S:", "T:", "L:"};
      out.push_back((unit.break_before ? "!" : "") +
                    std::string(kinds[static_cast<int>(unit.kind)]) +
                    std::string(text_.View(unit.begin, unit.end)));
    }
    return out;
  }

  BodyType body_;
  DocumentText text_;
  std::unique_ptr<LineReader> reader_;
  std::vector<Unit> units_;
  uint32_t pages_ = 0;
};

using Strings = std::vector<std::string>;

TEST_F(LineReaderTest, JoinsLinesAndSplitsSentences) {
  Read({{"One sentence"}, {"over lines. Another."}});
  EXPECT_EQ(Finish(), (Strings{"S:One sentence\nover lines.", "S:Another."}));
}

TEST_F(LineReaderTest, AParagraphGoesOnInTheNextBlockAndPage) {
  Read({{"It stops in the"}, {""}, {"middle of a"}});
  Read({{"sentence. Done."}, {""}, {"New one"}});
  EXPECT_EQ(Finish(),
            (Strings{"S:It stops in the\n\nmiddle of a\n\nsentence.", "S:Done.", "S:New one"}));
}

TEST_F(LineReaderTest, ARunningLineCutsWhateverItInterrupts) {
  Read({{"It stops in the"}, {"7", true}});
  Read({{"Head", true}, {"middle. Done."}});
  EXPECT_EQ(Finish(), (Strings{"S:It stops in the", "!S:middle.", "S:Done."}));
}

TEST_F(LineReaderTest, RowsItemsAndLeadersStandAlone) {
  Read({{"a | b", false, true},
        {"c | d", false, true},
        {"- item one"},
        {"goes on"},
        {"- item two"},
        {"Scope ...... 4"}});
  EXPECT_EQ(Finish(), (Strings{"T:a | b", "T:c | d", "S:- item one\ngoes on", "S:- item two",
                               "L:Scope ...... 4"}));
}

TEST_F(LineReaderTest, ReadsMarkdown) {
  Read({{"# Title"},
        {"Text here."},
        {"```"},
        {"# no heading"},
        {"```"},
        {"Old"},
        {"---"},
        {"More."}},
       true);
  EXPECT_EQ(Finish(), (Strings{"H:# Title", "S:Text here.", "L:```", "L:# no heading", "L:```",
                               "S:Old\n---\nMore."}));
}

TEST_F(LineReaderTest, AnUnderlinedTitleTakesItsRule) {
  Read({{"Title"}, {"====="}, {""}, {"Text."}});
  EXPECT_EQ(Finish(), (Strings{"H:Title\n=====", "S:Text."}));
}

}  // namespace
}  // namespace ragstone::ingest::internal

#include "llm/answer/units.h"

#include <gtest/gtest.h>

#include "tests/unit/llm/answer/fakes.h"

namespace ragstone::llm {
namespace {

std::vector<EvidenceUnit> Units(const std::string& text, const std::string& heading = "") {
  FakeGenerator generator;
  return UnitsOf(text, heading, FakeServices(&generator).sentences);
}

std::vector<std::string> Shown(const std::string& text) {
  std::vector<std::string> shown;
  for (const EvidenceUnit& unit : Units(text)) shown.push_back(unit.shown);
  return shown;
}

std::vector<std::string> CandidatesOf(const std::string& text, const EvidenceUnit& unit,
                                      const std::string& question) {
  std::vector<std::string> found;
  for (const Stretch& s : UnitCandidates(text, unit, ReadQuestion(question)).stretches) {
    found.push_back(text.substr(s.begin, s.end - s.begin));
  }
  return found;
}

using Strings = std::vector<std::string>;

TEST(Units, RowsAreReadUnderTheHeadsOfTheirColumns) {
  const std::string text =
      "Oil is changed as follows.\n\nPart | Interval\nBelt | 1000 hours\nSeal |  \nGate | weekly";
  EXPECT_EQ(Shown(text), (Strings{"Oil is changed as follows.", "Part; Interval",
                                  "Part: Belt; Interval: 1000 hours", "Part: Seal",
                                  "Part: Gate; Interval: weekly"}));
  const EvidenceUnit belt = Units(text)[2];
  EXPECT_EQ(text.substr(belt.begin, belt.end - belt.begin), "Belt | 1000 hours");
}

TEST(Units, FirstRowWithFiguresIsARowLikeTheOthers) {
  EXPECT_EQ(Shown("E05 | Salt | Check\nE06 | Tank | Clean"),
            (Strings{"E05; Salt; Check", "E06; Tank; Clean"}));
  EXPECT_EQ(Shown("Only | one"), (Strings{"Only; one"}));
  EXPECT_EQ(Shown("Two | heads\nthree | cells | here"),
            (Strings{"Two; heads", "three; cells; here"}));
}

TEST(Units, LabelsTakeTheirValues) {
  const std::string text =
      "Make: | Piper | Serial number: | 22-45\nSeats: |  | Year: | 1962 | note";
  EXPECT_EQ(Shown(text), (Strings{"Make: Piper", "Serial number: 22-45", "Year: 1962", "note"}));
  const EvidenceUnit serial = Units(text)[1];
  EXPECT_EQ(text.substr(serial.begin, serial.end - serial.begin), "Serial number: | 22-45");
  EXPECT_EQ(CandidatesOf(text, serial, "What is the serial number?"), (Strings{"22-45"}));
}

TEST(Units, MarkdownTablesAreTables) {
  EXPECT_EQ(Shown("| Part | Price |\n|---|---|\n| Belt | 9 € |"),
            (Strings{"Part; Price", "Part: Belt; Price: 9 €"}));
  EXPECT_EQ(Shown("| Part | When |\n|---|---|\n| Belt | weekly |\n| Seal | daily |"),
            (Strings{"Part; When", "Part: Belt; When: weekly", "Part: Seal; When: daily"}));
}

TEST(Units, PropertiesAreNoColumns) {
  EXPECT_EQ(Shown("Maker | Bosch\nColour | red\nCountry | Germany"),
            (Strings{"Maker; Bosch", "Colour; red", "Country; Germany"}));
  for (const EvidenceUnit& unit : Units("Maker | Bosch\nColour | red\nCountry | Germany")) {
    EXPECT_FALSE(unit.heading);
  }
}

TEST(Units, EmptyCornerKeepsTheColumns) {
  EXPECT_EQ(Shown(" | Min | Max\nPressure | 50 | 62\n | 1 | 2"),
            (Strings{"Min; Max", "Pressure; Min: 50; Max: 62", "Min: 1; Max: 2"}));
}

TEST(Units, LabelsMayStandAboveTheirValues) {
  EXPECT_EQ(Shown("Name: | Born:\nBob Hill | 5 May 1962"),
            (Strings{"Name:; Born:", "Name: Bob Hill; Born: 5 May 1962"}));
}

TEST(Units, TableThatWentOnHasItsHeadsInTheHeadingPath) {
  const std::vector<EvidenceUnit> units =
      Units("Belt | weekly | clean\nSeal | daily | look", "Manual > Care > Part | When | Work");
  ASSERT_EQ(units.size(), 2u);
  EXPECT_EQ(units[0].shown, "Part: Belt; When: weekly; Work: clean");
  EXPECT_FALSE(units[0].heading);
}

TEST(Units, TheColumnThatNamesTheRowDoesNotAnswer) {
  const std::string text = "Alarm | Meaning | What to do\nE07 | Water too warm | Wait";
  const Candidates found =
      UnitCandidates(text, Units(text)[1], ReadQuestion("What does alarm E07 mean?"));
  EXPECT_FALSE(found.only_asked);
  EXPECT_EQ(CandidatesOf(text, Units(text)[1], "What does alarm E07 mean?"),
            (Strings{"Water too warm", "Wait"}));
}

TEST(Units, PricesMayHaveTheirCurrencyInTheHead) {
  const std::string text = "Part | Price (EUR) | Note\nBelt | 90 | -\nSeal | 14 | -";
  const Candidates found =
      UnitCandidates(text, Units(text)[1], ReadQuestion("How much does the belt cost?"));
  EXPECT_TRUE(found.of_kind);
}

TEST(Units, HeadingsAreTold) {
  const auto is_heading = [](const std::string& text) { return Units(text)[0].heading; };
  EXPECT_TRUE(is_heading("6.3 Changing oil\n\nThe pump takes 2 litres."));
  EXPECT_TRUE(is_heading("Table 7: Maintenance schedule\n\nPart | Interval"));
  EXPECT_TRUE(is_heading("Safety\n\nWear gloves."));
  EXPECT_TRUE(is_heading("6.3 Changing oil........7"));
  EXPECT_FALSE(is_heading("Max. pressure ........ 62 bar\n\nIt is high."));
  EXPECT_FALSE(is_heading("Annual Report\n\nPrepared by Jane Doe\n\nBerlin"));
  EXPECT_FALSE(is_heading("Safety\nWear gloves.")) << "one paragraph";
  EXPECT_FALSE(is_heading("Safety")) << "nothing below";
  EXPECT_FALSE(is_heading("Wear gloves.\n\nAnd boots."));
  EXPECT_FALSE(is_heading("Weight 14 kg\n\nThe pump is heavy.")) << "a figure that may answer";
}

TEST(Units, LongRowsAndSentencesAreCut) {
  std::string row = "a | ";
  for (int i = 0; i < 300; ++i) row += "word ";
  for (const EvidenceUnit& unit : Units(row)) EXPECT_LE(unit.end - unit.begin, 600u);
}

TEST(Units, AnswersComeFromTheColumnThatTheQuestionNames) {
  const std::string text = "Number | Part | Price\nA1 | Belt | 90 €\nB2 | Seal | 14 €";
  const EvidenceUnit belt = Units(text)[1];
  EXPECT_EQ(CandidatesOf(text, belt, "What is the price of the belt?"), (Strings{"90 €"}));
  EXPECT_EQ(CandidatesOf(text, belt, "Which part is sold for 90 €?"), (Strings{"Belt"}));
  // No column is named: any value but the one that names the row.
  EXPECT_EQ(CandidatesOf(text, belt, "Tell me about the belt"), (Strings{"A1", "90 €"}));
  // A number is asked for: codes are none.
  EXPECT_EQ(CandidatesOf(text, Units(text)[2], "How much is the seal?"), (Strings{"14 €"}));
}

TEST(Units, AnyBytesGiveUnitsInsideTheText) {
  for (const std::string text :
       {"|", " | ", "| |", " | |", "|\n|", "a |", "x: | ", " | :", "\n\n | \n"}) {
    for (const EvidenceUnit& unit : Units(text)) {
      EXPECT_LE(unit.begin, unit.end);
      EXPECT_LE(unit.end, text.size());
    }
  }
}

}  // namespace
}  // namespace ragstone::llm

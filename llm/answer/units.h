#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llm/answer/question.h"

namespace ragstone::llm {

// What can be cited as a whole: a sentence, a heading, a row of a table, or a label with its value.
// Rows are lines with cells between bars, as the parser writes tables.
struct EvidenceUnit {
  uint32_t begin = 0, end = 0;  // bytes of the passage's text
  // The unit as it is read without the rest of the table: white space folded, each cell behind the
  // head of its column ("Part: Belt; Interval: 1000 hours").
  std::string shown;
  // Bytes of the passage's text in which an answer may lie; empty: anywhere in the unit.
  std::vector<Stretch> values;
  // The heads of the columns of `values`, by place; empty for a unit that is no row under heads.
  std::vector<std::string> heads;
  bool heading = false;
  std::string section;  // the heading above it in the same passage; may be empty

  // The unit with what it is about, for comparing and for models.
  std::string Text() const { return section.empty() ? shown : section + ": " + shown; }
};

using SentenceSplitter =
    std::function<std::vector<std::pair<size_t, size_t>>(std::string_view text)>;

// Returns the units of a passage in order; pieces without a word are left out. A short line between
// empty lines that is no sentence and has more text below it is taken for a heading. `heading` is
// the passage's heading path; its last part holds the heads of a table that began before the
// passage.
std::vector<EvidenceUnit> UnitsOf(std::string_view text, std::string_view heading,
                                  const SentenceSplitter& sentences);

// The candidates of a unit, as bytes of the passage's text: CandidateStretches of its values. If
// the question names heads of columns, those columns only, unless they hold just the question's
// words, as the column does that names the row.
Candidates UnitCandidates(std::string_view text, const EvidenceUnit& unit,
                          const Question& question);

}  // namespace ragstone::llm

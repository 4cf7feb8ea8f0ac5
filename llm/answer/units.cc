#include "llm/answer/units.h"

#include <algorithm>
#include <array>
#include <optional>

#include "llm/answer/text_words.h"

namespace ragstone::llm {
namespace {

constexpr size_t kUnitBytesMax = 600;
constexpr size_t kUnitBytesMin = 3;
constexpr size_t kHeadBytesMax = 60;  // of a column's head
constexpr size_t kHeadingWordsMax = 12;

std::string_view Part(std::string_view text, Stretch stretch) {
  return text.substr(stretch.begin, stretch.end - stretch.begin);
}

Stretch Trimmed(std::string_view text, size_t begin, size_t end) {
  const auto space = [&](size_t at) { return static_cast<unsigned char>(text[at]) <= 0x20; };
  while (begin < end && space(begin)) ++begin;
  while (end > begin && space(end - 1)) --end;
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
}

bool HasWord(std::string_view text) { return !WordsOf(text).empty(); }

// A line of a table: its cells in order, trimmed, some of them empty.
struct Row {
  Stretch line;
  std::vector<Stretch> cells;
};

bool IsRow(std::string_view line) { return line.find(" | ") != std::string_view::npos; }

// The line between the head of a Markdown table and its rows.
bool IsRule(std::string_view line) {
  return line.find("--") != std::string_view::npos && line.find('|') != std::string_view::npos &&
         line.find_first_not_of("|-: \t\r") == std::string_view::npos;
}

Row ReadRow(std::string_view text, size_t begin, size_t end) {
  Row row{Trimmed(text, begin, end), {}};
  size_t from = row.line.begin, to = row.line.end;
  // Markdown frames its rows; a bar behind a space stands for an empty first cell.
  if (row.line.begin == begin && to > from + 1 && text[from] == '|' && text[to - 1] == '|') {
    ++from;
    --to;
  }
  while (from <= to) {
    const size_t bar = std::min(text.find('|', from), to);
    row.cells.push_back(Trimmed(text, from, bar));
    from = bar + 1;
  }
  return row;
}

bool IsLabel(std::string_view cell) { return cell.size() > 1 && cell.back() == ':'; }

bool HasLabel(std::string_view text, const Row& row) {
  return std::any_of(row.cells.begin(), row.cells.end(),
                     [&](Stretch cell) { return IsLabel(Part(text, cell)); });
}

bool AllLabels(std::string_view text, const Row& row) {
  return std::all_of(row.cells.begin(), row.cells.end(),
                     [&](Stretch cell) { return IsLabel(Part(text, cell)); });
}

// Whether the first row of a table looks like the names of its columns: words without figures over
// every column but the first, which may have none. Two columns without a figure below are rather a
// list of properties, whose first line is a property as well.
bool NamesColumns(std::string_view text, const std::vector<Row>& table) {
  const Row& head = table[0];
  if (table.size() < 2 || head.cells.size() != table[1].cells.size()) return false;
  for (size_t i = 0; i < head.cells.size(); ++i) {
    const std::string_view words = Part(text, head.cells[i]);
    if ((i > 0 && !HasWord(words)) || HasDigit(words) || words.size() > kHeadBytesMax) return false;
  }
  return head.cells.size() > 2 || std::any_of(table.begin() + 1, table.end(), [&](const Row& row) {
           return row.cells.size() == 2 && HasDigit(Part(text, row.cells[1]));
         });
}

// A line of a table of contents: a heading with leader dots, and behind them at most a page number.
bool IsContentsLine(std::string_view line) {
  size_t dots = line.find(". . . .");
  if (dots == std::string_view::npos) dots = line.find(".....");
  if (dots == std::string_view::npos) return false;
  return line.find_first_not_of(". 0123456789ivxlcIVXLC", dots) == std::string_view::npos;
}

// One short line without a full stop or figures, but for its own number ("6.3 Changing oil", "Table
// 7: Schedule").
enum class HeadingLook { kNone, kPlain, kNumbered };
HeadingLook LookOf(std::string_view line) {
  const std::vector<TextWord> words = WordsOf(line);
  if (words.empty() || words.size() > kHeadingWordsMax || line.find('\n') != std::string_view::npos)
    return HeadingLook::kNone;
  if (std::string_view(".!?;,").find(line.back()) != std::string_view::npos)
    return HeadingLook::kNone;
  size_t first = 0;
  static constexpr std::array<std::string_view, 8> kNumbered = {
      "table", "figure", "chapter", "section", "appendix", "tabelle", "abbildung", "kapitel"};
  if (std::find(kNumbered.begin(), kNumbered.end(), words[0].folded) != kNumbered.end()) ++first;
  if (first < words.size() && HasDigit(words[first].folded)) ++first;
  if (first == words.size() || HasDigit(line.substr(words[first].begin))) return HeadingLook::kNone;
  return first > 0 ? HeadingLook::kNumbered : HeadingLook::kPlain;
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view heading, const SentenceSplitter& sentences)
      : text_(text), heading_(heading), sentences_(sentences) {}

  std::vector<EvidenceUnit> Read() {
    size_t prose = 0;  // where the text before the row at hand begins
    std::vector<Row> table;
    for (size_t begin = 0; begin < text_.size();) {
      const size_t end = std::min(text_.find('\n', begin), text_.size());
      const std::string_view line = text_.substr(begin, end - begin);
      if (IsRow(line)) {
        if (table.empty()) AddProse(prose, begin);
        table.push_back(ReadRow(text_, begin, end));
        prose = end;
      } else if (table.size() == 1 && IsRule(line)) {
        ruled_ = true;
        prose = end;
      } else {
        AddTable(table);
        table.clear();
        ruled_ = false;
      }
      begin = end + 1;
    }
    AddTable(table);
    AddProse(prose, text_.size());
    return std::move(units_);
  }

 private:
  void AddProse(size_t begin, size_t end) {
    if (begin >= end) return;
    const std::string_view part = text_.substr(begin, end - begin);
    for (const auto& [first, last] : sentences_(part)) {
      if (first < last && last <= part.size()) AddPlain(begin + first, begin + last);
    }
  }

  // Adds [begin, end) in pieces of at most kUnitBytesMax, cut at spaces.
  void AddPlain(size_t begin, size_t end) {
    while (end - begin > kUnitBytesMax) {
      size_t cut = text_.find_last_of(" \n\t", begin + kUnitBytesMax);
      if (cut == std::string_view::npos || cut <= begin) {
        cut = begin + kUnitBytesMax;
        while (cut > begin + 1 && (text_[cut] & 0xC0) == 0x80) --cut;
      }
      AddPiece(Trimmed(text_, begin, cut));
      begin = cut;
    }
    AddPiece(Trimmed(text_, begin, end));
  }

  void AddPiece(Stretch piece) {
    if (piece.end - piece.begin < kUnitBytesMin || !HasWord(Part(text_, piece))) return;
    EvidenceUnit unit;
    unit.begin = piece.begin;
    unit.end = piece.end;
    unit.shown = FoldSpaces(Part(text_, piece));
    unit.heading = IsHeading(piece) || IsContentsLine(unit.shown);
    Add(std::move(unit));
  }

  bool IsHeading(Stretch piece) const {
    const std::string_view before = text_.substr(0, piece.begin), after = text_.substr(piece.end);
    const bool alone = (before.empty() || before.ends_with("\n\n")) && after.starts_with("\n\n");
    if (!alone || !HasWord(after)) return false;
    const HeadingLook look = LookOf(Part(text_, piece));
    if (look != HeadingLook::kPlain) return look == HeadingLook::kNumbered;
    // One line after the other, as on a title page, are no headings of each other.
    const Stretch rest = Trimmed(text_, piece.end, text_.size());
    const std::string_view next = Part(text_, rest).substr(0, Part(text_, rest).find("\n\n"));
    return LookOf(next) != HeadingLook::kPlain;
  }

  void AddTable(const std::vector<Row>& table) {
    if (table.empty()) return;
    bool above = false;  // whether the heads stand in the heading path: the table began earlier
    std::vector<std::string> heads = HeadsOfPath(table);
    if (!heads.empty()) {
      above = true;
    } else if (ruled_ || LabelsAbove(table) ||
               (!HasLabel(text_, table[0]) && NamesColumns(text_, table))) {
      heads = HeadsOf(table[0]);
    }
    for (size_t i = 0; i < table.size(); ++i) {
      const Row& row = table[i];
      const bool is_head = i == 0 && !above && !heads.empty();
      const bool under = !is_head && row.cells.size() == heads.size();
      if (row.line.end - row.line.begin > kUnitBytesMax) {
        AddPlain(row.line.begin, row.line.end);
      } else if (HasLabel(text_, row) && !is_head) {
        AddPairs(row);
      } else {
        // The first row of a short table may be a row like the others.
        AddRow(row, under ? heads : std::vector<std::string>(), is_head && table.size() > 2);
      }
    }
  }

  // The names of the columns at the end of the heading path, where the chunker puts them for a
  // table that goes on from the chunk before; empty if they do not fit the table.
  std::vector<std::string> HeadsOfPath(const std::vector<Row>& table) const {
    const size_t part = heading_.rfind(" > ");
    const std::string_view last =
        part == std::string_view::npos ? heading_ : heading_.substr(part + 3);
    const bool goes_on = !HasWord(Part(text_, {0, table[0].line.begin}));
    if (!goes_on || !IsRow(last)) return {};
    const Row row = ReadRow(last, 0, last.size());
    if (row.cells.size() != table[0].cells.size()) return {};
    std::vector<std::string> heads;
    for (const Stretch cell : row.cells) heads.push_back(FoldSpaces(Part(last, cell)));
    return heads;
  }

  // A row of labels over a row of their values.
  bool LabelsAbove(const std::vector<Row>& table) const {
    return table.size() > 1 && AllLabels(text_, table[0]) && !HasLabel(text_, table[1]) &&
           table[0].cells.size() == table[1].cells.size();
  }

  std::vector<std::string> HeadsOf(const Row& row) const {
    std::vector<std::string> heads;
    for (const Stretch cell : row.cells) {
      heads.push_back(FoldSpaces(Part(text_, cell)));
      if (IsLabel(heads.back())) heads.back().pop_back();
    }
    return heads;
  }

  // A form: each label with the value behind it; cells that belong to no label stand alone.
  void AddPairs(const Row& row) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const Stretch cell = row.cells[i];
      if (!IsLabel(Part(text_, cell))) {
        AddPiece(cell);
        continue;
      }
      if (i + 1 == row.cells.size() || IsLabel(Part(text_, row.cells[i + 1]))) continue;
      const Stretch value = row.cells[++i];
      if (!HasWord(Part(text_, value))) continue;
      EvidenceUnit unit;
      unit.begin = cell.begin;
      unit.end = value.end;
      unit.shown = FoldSpaces(Part(text_, cell)) + " " + FoldSpaces(Part(text_, value));
      unit.values = {value};
      Add(std::move(unit));
    }
  }

  void Add(EvidenceUnit unit) {
    if (!unit.heading) {
      unit.section = section_;
    } else if (unit.values.empty() && !IsContentsLine(unit.shown)) {
      section_ = unit.shown;
    }
    units_.push_back(std::move(unit));
  }

  void AddRow(const Row& row, const std::vector<std::string>& heads, bool heads_others) {
    EvidenceUnit unit;
    unit.begin = row.line.begin;
    unit.end = row.line.end;
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const std::string_view cell = Part(text_, row.cells[i]);
      if (!HasWord(cell)) continue;
      unit.values.push_back(row.cells[i]);
      if (!unit.shown.empty()) unit.shown += "; ";
      if (!heads.empty()) {
        unit.heads.push_back(heads[i]);
        if (!heads[i].empty()) unit.shown += heads[i] + ": ";
      }
      unit.shown += FoldSpaces(cell);
    }
    unit.heading = heads_others;
    if (!unit.values.empty()) Add(std::move(unit));
  }

  std::string_view text_, heading_;
  const SentenceSplitter& sentences_;
  bool ruled_ = false;  // whether the table at hand has a rule below its head
  std::string section_;
  std::vector<EvidenceUnit> units_;
};

bool IsNamed(std::string_view head, const Question& question) {
  const std::vector<TextWord> words = WordsOf(head);
  return std::any_of(words.begin(), words.end(), [&](const TextWord& word) {
    return !IsFunctionWord(word.folded) && IsAsked(word, question);
  });
}

bool HasCurrency(std::string_view text) {
  for (const std::string_view sign : {"$", "€", "£", "EUR", "USD", "CHF", "GBP"}) {
    if (text.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

// The best candidates among some values. A value that has nothing but the question's words names
// the row; it answers only if no other value does. One of the kind asked for is better than any
// other.
Candidates BestOf(const std::vector<Candidates>& found) {
  const auto level = [](const Candidates& c) { return c.of_kind ? 2 : c.only_asked ? 0 : 1; };
  Candidates best;
  int best_level = -1;
  for (const Candidates& candidates : found) {
    if (level(candidates) < best_level) continue;
    if (level(candidates) > best_level) {
      best_level = level(candidates);
      best = candidates;
      continue;
    }
    best.stretches.insert(best.stretches.end(), candidates.stretches.begin(),
                          candidates.stretches.end());
  }
  return best;
}

}  // namespace

std::vector<EvidenceUnit> UnitsOf(std::string_view text, std::string_view heading,
                                  const SentenceSplitter& sentences) {
  return Reader(text, heading, sentences).Read();
}

Candidates UnitCandidates(std::string_view text, const EvidenceUnit& unit,
                          const Question& question) {
  // A column of prices has its currency in the head and plain numbers below.
  std::optional<Question> for_number;
  if (question.kind == AnswerKind::kMoney) {
    for_number = question;
    for_number->kind = AnswerKind::kNumber;
  }
  const auto of = [&](Stretch where, std::string_view head) {
    const Question& asked = for_number.has_value() && HasCurrency(head) ? *for_number : question;
    Candidates found = CandidateStretches(SpacesForControls(Part(text, where)), asked);
    for (Stretch& stretch : found.stretches) {
      stretch.begin += where.begin;
      stretch.end += where.begin;
    }
    return found;
  };
  if (unit.values.empty()) return of({unit.begin, unit.end}, "");
  std::vector<Candidates> named, all;
  for (size_t i = 0; i < unit.values.size(); ++i) {
    const bool headed = i < unit.heads.size();
    all.push_back(of(unit.values[i], headed ? std::string_view(unit.heads[i]) : unit.shown));
    if (headed && IsNamed(unit.heads[i], question)) named.push_back(all.back());
  }
  const Candidates best = BestOf(named);
  return named.empty() || best.only_asked ? BestOf(all) : best;
}

}  // namespace ragstone::llm

#include "llm/answer/units.h"

#include <algorithm>
#include <array>

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

bool HasDigit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A line of a table: its cells in order, trimmed, some of them empty.
struct Row {
  Stretch line;
  std::vector<Stretch> cells;
};

bool IsRow(std::string_view line) { return line.find(" | ") != std::string_view::npos; }

Row ReadRow(std::string_view text, size_t begin, size_t end) {
  Row row{Trimmed(text, begin, end), {}};
  size_t from = row.line.begin, to = row.line.end;
  if (text[from] == '|') {  // Markdown frames its rows
    ++from;
    if (to > from && text[to - 1] == '|') --to;
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

// Whether the first row of a table names its columns: words without figures in every column of
// the row below.
bool NamesColumns(std::string_view text, const Row& head, const Row& next) {
  return head.cells.size() == next.cells.size() &&
         std::all_of(head.cells.begin(), head.cells.end(), [&](Stretch cell) {
           const std::string_view words = Part(text, cell);
           return HasWord(words) && !HasDigit(words) && words.size() <= kHeadBytesMax;
         });
}

// A line of a table of contents: a heading with leader dots.
bool IsContentsLine(std::string_view line) {
  return line.find(". . . .") != std::string_view::npos ||
         line.find(".....") != std::string_view::npos;
}

// One short line without a full stop or figures, but for its own number ("6.3 Changing oil", "Table
// 7: Schedule").
bool LooksLikeHeading(std::string_view line) {
  const std::vector<TextWord> words = WordsOf(line);
  if (words.size() > kHeadingWordsMax || line.find('\n') != std::string_view::npos) return false;
  if (std::string_view(".!?;,").find(line.back()) != std::string_view::npos) return false;
  size_t first = 0;
  static constexpr std::array<std::string_view, 8> kNumbered = {
      "table", "figure", "chapter", "section", "appendix", "tabelle", "abbildung", "kapitel"};
  if (std::find(kNumbered.begin(), kNumbered.end(), words[0].folded) != kNumbered.end()) ++first;
  if (first < words.size() && HasDigit(words[first].folded)) ++first;
  return first < words.size() && !HasDigit(line.substr(words[first].begin));
}

class Reader {
 public:
  Reader(std::string_view text, const SentenceSplitter& sentences)
      : text_(text), sentences_(sentences) {}

  std::vector<EvidenceUnit> Read() {
    size_t prose = 0;  // where the text before the row at hand begins
    std::vector<Row> table;
    for (size_t begin = 0; begin < text_.size();) {
      const size_t end = std::min(text_.find('\n', begin), text_.size());
      if (IsRow(text_.substr(begin, end - begin))) {
        if (table.empty()) AddProse(prose, begin);
        table.push_back(ReadRow(text_, begin, end));
        prose = end;
      } else if (!table.empty()) {
        AddTable(table);
        table.clear();
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
    return alone && LooksLikeHeading(Part(text_, piece)) && HasWord(after);
  }

  void AddTable(const std::vector<Row>& table) {
    if (table.empty()) return;
    const bool headed = table.size() > 1 && !HasLabel(text_, table[0]) &&
                        !HasLabel(text_, table[1]) && NamesColumns(text_, table[0], table[1]);
    for (size_t i = 0; i < table.size(); ++i) {
      const Row& row = table[i];
      if (row.line.end - row.line.begin > kUnitBytesMax) {
        AddPlain(row.line.begin, row.line.end);
      } else if (HasLabel(text_, row)) {
        AddPairs(row);
      } else {
        const bool under = headed && i > 0 && row.cells.size() == table[0].cells.size();
        // The first row of a short table may be a row like the others.
        AddRow(row, under ? &table[0] : nullptr, headed && i == 0 && table.size() > 2);
      }
    }
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
    } else if (unit.values.empty()) {
      section_ = unit.shown;
    }
    units_.push_back(std::move(unit));
  }

  void AddRow(const Row& row, const Row* head, bool heads_others) {
    EvidenceUnit unit;
    unit.begin = row.line.begin;
    unit.end = row.line.end;
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const std::string_view cell = Part(text_, row.cells[i]);
      if (!HasWord(cell)) continue;
      unit.values.push_back(row.cells[i]);
      if (!unit.shown.empty()) unit.shown += "; ";
      if (head != nullptr) {
        unit.heads.push_back(FoldSpaces(Part(text_, head->cells[i])));
        unit.shown += unit.heads.back() + ": ";
      }
      unit.shown += FoldSpaces(cell);
    }
    unit.heading = heads_others;
    if (!unit.values.empty()) Add(std::move(unit));
  }

  std::string_view text_;
  const SentenceSplitter& sentences_;
  std::string section_;
  std::vector<EvidenceUnit> units_;
};

bool IsNamed(std::string_view head, const Question& question) {
  const std::vector<TextWord> words = WordsOf(head);
  return std::any_of(words.begin(), words.end(), [&](const TextWord& word) {
    return !IsFunctionWord(word.folded) &&
           std::any_of(question.content.begin(), question.content.end(),
                       [&](const std::string& asked) { return SameWord(asked, word.folded); });
  });
}

// The values under heads that the question names, or all of them.
std::vector<Stretch> AskedValues(const EvidenceUnit& unit, const Question& question) {
  std::vector<Stretch> named;
  for (size_t i = 0; i < unit.heads.size(); ++i) {
    if (IsNamed(unit.heads[i], question)) named.push_back(unit.values[i]);
  }
  return named.empty() ? unit.values : named;
}

}  // namespace

std::vector<EvidenceUnit> UnitsOf(std::string_view text, const SentenceSplitter& sentences) {
  return Reader(text, sentences).Read();
}

Candidates UnitCandidates(std::string_view text, const EvidenceUnit& unit,
                          const Question& question) {
  const auto of = [&](Stretch where) {
    Candidates found = CandidateStretches(SpacesForControls(Part(text, where)), question);
    for (Stretch& stretch : found.stretches) {
      stretch.begin += where.begin;
      stretch.end += where.begin;
    }
    return found;
  };
  if (unit.values.empty()) return of({unit.begin, unit.end});
  // A value that has nothing but the question's words names the row; it answers only if no other
  // value does. One of the kind asked for is better than any other.
  Candidates best;
  int best_level = -1;
  for (const Stretch value : AskedValues(unit, question)) {
    const Candidates found = of(value);
    const int level = found.of_kind ? 2 : found.only_asked ? 0 : 1;
    if (level < best_level) continue;
    if (level > best_level) best = Candidates{};
    best_level = level;
    best.stretches.insert(best.stretches.end(), found.stretches.begin(), found.stretches.end());
    best.of_kind = found.of_kind;
    best.only_asked = found.only_asked;
  }
  return best;
}

}  // namespace ragstone::llm

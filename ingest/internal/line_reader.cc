#include "ingest/internal/line_reader.h"

#include <algorithm>
#include <utility>

#include "ingest/internal/paragraphs.h"
#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest::internal {
namespace {

// An unfinished paragraph that grows beyond this is taken as it is.
constexpr uint64_t kParagraphBytesMax = 64 * 1024;

bool StartsLower(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    const std::optional<char32_t> c = NextCodePoint(text, &pos);
    if (c && !IsWhiteSpace(*c)) return IsLower(*c);
  }
  return false;
}

std::pair<uint64_t, uint64_t> TrimSpan(std::string_view text, uint64_t begin) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {begin, begin};
  const size_t last = text.find_last_not_of(" \t\r\n");
  return {begin + first, begin + last + 1};
}

std::string_view LineText(const DecidedPage& page, size_t i) {
  const Line& line = page.lines[i];
  return std::string_view(page.text).substr(line.begin, line.end - line.begin);
}

// Whether an empty line stands between two lines.
bool Apart(const DecidedPage& page, size_t i, size_t j) {
  const std::string_view gap = std::string_view(page.text).substr(
      page.lines[i].end, page.lines[j].begin - page.lines[i].end);
  return std::count(gap.begin(), gap.end(), '\n') >= 2;
}

}  // namespace

void LineReader::Read(const DecidedPage& page, uint64_t base, std::vector<Unit>* units) {
  const size_t count = page.lines.size();
  for (size_t i = 0; i < count;) {
    if (page.running[i]) {
      break_pending_ = true;
      at_block_start_ = true;
      ++i;
      continue;
    }
    size_t j = i + 1;
    while (j < count && !page.running[j] && !Apart(page, j - 1, j)) ++j;
    const Block block{&page, i, j, base};
    at_block_start_ = true;
    heading_line_.reset();
    for (; i < j; ++i) {
      ReadLine(block, i, units);
      at_block_start_ = false;
    }
  }
  at_block_start_ = true;
  heading_line_.reset();
}

void LineReader::ReadLine(const Block& block, size_t i, std::vector<Unit>* units) {
  const std::string_view text = LineText(*block.page, i);
  const Line& line = block.page->lines[i];
  const auto [begin, end] = TrimSpan(text, block.base + line.begin);
  if (begin == end) return;
  if (break_pending_) Flush(units);
  Unit unit;
  unit.begin = begin;
  unit.end = end;
  unit.paragraph_end = true;
  if (markdown_ && IsCode(text)) {
    Flush(units);
    unit.kind = Unit::Kind::kLine;
    Emit(unit, units);
  } else if (line.table_row) {
    Flush(units);
    unit.kind = Unit::Kind::kTableRow;
    Emit(unit, units);
  } else if (HasDotLeader(text)) {
    Flush(units);
    unit.kind = Unit::Kind::kLine;
    Emit(unit, units);
  } else if (!ReadHeading(block, i, units)) {
    AddBodyLine(text, begin, end, units);
  }
}

bool LineReader::IsCode(std::string_view line) {
  const size_t first = line.find_first_not_of(' ');
  const bool fence =
      first != std::string_view::npos && first <= 3 &&
      (line.substr(first).starts_with("```") || line.substr(first).starts_with("~~~"));
  if (fence) in_fence_ = !in_fence_;
  return fence || in_fence_;
}

bool LineReader::ReadHeading(const Block& block, size_t i, std::vector<Unit>* units) {
  const DecidedPage& page = *block.page;
  LineContext context;
  context.text = LineText(page, i);
  context.line = &page.lines[i];
  context.index = i - block.first;
  context.block_lines = block.last - block.first;
  if (i + 1 < block.last) {
    context.next = LineText(page, i + 1);
    context.next_line = &page.lines[i + 1];
  }
  const bool follows_heading = heading_line_ && *heading_line_ + 1 == i && !units->empty() &&
                               units->back().kind == Unit::Kind::kHeading;
  const auto [begin, end] = TrimSpan(context.text, block.base + context.line->begin);
  // The rule under a title belongs to the title.
  const bool rule = context.text.find_first_not_of("=-~ ") == std::string_view::npos;
  if (follows_heading && rule) {
    units->back().end = end;
    return true;
  }
  const std::optional<HeadingStyle> style = ClassifyHeading(context, *body_, markdown_);
  if (!style) return false;
  Flush(units);
  heading_line_ = i;
  const bool same = follows_heading && !style->markdown && style->size > 0 && style->depth == 0 &&
                    style->bold == units->back().style.bold &&
                    std::abs(style->size - units->back().style.size) < 0.2f &&
                    end - units->back().begin <= 240;
  if (same) {
    units->back().end = end;
    return true;
  }
  Unit unit;
  unit.kind = Unit::Kind::kHeading;
  unit.begin = begin;
  unit.end = end;
  unit.paragraph_end = true;
  unit.style = *style;
  Emit(unit, units);
  return true;
}

void LineReader::AddBodyLine(std::string_view line, uint64_t begin, uint64_t end,
                             std::vector<Unit>* units) {
  if (open_) {
    const std::string_view before = text_->View(paragraph_.begin, paragraph_.end);
    const bool new_paragraph = StartsListItem(line) ||
                               end - paragraph_.begin > kParagraphBytesMax ||
                               (at_block_start_ && (EndsSentence(before) || !StartsLower(line)));
    if (new_paragraph) Flush(units);
  }
  if (!open_) {
    open_ = true;
    paragraph_ = Unit();
    paragraph_.begin = begin;
    paragraph_.break_before = std::exchange(break_pending_, false);
  }
  paragraph_.end = end;
}

void LineReader::Emit(Unit unit, std::vector<Unit>* units) {
  unit.break_before = std::exchange(break_pending_, false);
  units->push_back(std::move(unit));
}

void LineReader::Flush(std::vector<Unit>* units) {
  if (!open_) return;
  open_ = false;
  std::vector<Sentence> sentences;
  SplitParagraph(text_->View(paragraph_.begin, paragraph_.end), paragraph_.begin, &sentences);
  for (size_t i = 0; i < sentences.size(); ++i) {
    Unit unit;
    unit.begin = sentences[i].begin;
    unit.end = sentences[i].end;
    unit.break_before = i == 0 && paragraph_.break_before;
    unit.paragraph_end = i + 1 == sentences.size();
    units->push_back(unit);
  }
}

void LineReader::Finish(std::vector<Unit>* units) { Flush(units); }

}  // namespace ragstone::ingest::internal

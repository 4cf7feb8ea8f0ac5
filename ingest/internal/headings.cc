#include "ingest/internal/headings.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest::internal {
namespace {

constexpr size_t kHeadingBytesMax = 200;
constexpr size_t kPathBytesMax = 200;
constexpr size_t kTitleBytesMax = 90;  // a long title would drown the text it stands above
constexpr size_t kStackMax = 6;
constexpr float kLargerFactor = 1.15f;
constexpr float kSameSize = 0.3f;

struct TextFacts {
  size_t letters = 0, upper = 0, lower = 0, words = 0, visible = 0;
};

TextFacts Count(std::string_view text) {
  TextFacts facts;
  bool in_word = false;
  for (size_t pos = 0; pos < text.size();) {
    const std::optional<char32_t> c = NextCodePoint(text, &pos);
    if (!c || IsWhiteSpace(*c)) {
      in_word = false;
      continue;
    }
    facts.words += !in_word;
    in_word = true;
    ++facts.visible;
    facts.letters += IsLetter(*c);
    facts.upper += IsUpper(*c);
    facts.lower += IsLower(*c);
  }
  return facts;
}

bool IsRule(std::string_view line, char mark) {
  const std::string folded = FoldWhiteSpace(line);
  return folded.size() >= 3 &&
         std::all_of(folded.begin(), folded.end(), [&](char c) { return c == mark; });
}

bool UnderlinesTitle(std::string_view line) {
  return IsRule(line, '=') || IsRule(line, '-') || IsRule(line, '~');
}

// "## Title" gives 2.
uint32_t MarkdownDepth(std::string_view text) {
  size_t i = text.find_first_not_of(' ');
  if (i == std::string_view::npos || i > 3) return 0;
  uint32_t depth = 0;
  while (i < text.size() && text[i] == '#') {
    ++i;
    ++depth;
  }
  const bool spaced = i < text.size() && (text[i] == ' ' || text[i] == '\t');
  return depth >= 1 && depth <= 6 && spaced ? depth : 0;
}

std::string_view FirstWord(std::string_view text, std::string_view* rest) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  size_t end = text.find(' ', begin);
  if (end == std::string_view::npos) end = text.size();
  const size_t after = text.find_first_not_of(' ', end);
  *rest = after == std::string_view::npos ? std::string_view() : text.substr(after);
  return text.substr(begin, end - begin);
}

// "3.2", "3.2.", "A.1", "IV." with at least one figure, or a roman numeral or letter and a full
// stop.
uint32_t DepthOfLabel(std::string_view label) {
  const bool closed = label.ends_with('.') || label.ends_with(')');
  if (closed) label.remove_suffix(1);
  if (label.empty() || label.size() > 12) return 0;
  uint32_t parts = 1;
  size_t run = 0;
  bool digit = false;
  for (size_t i = 0; i < label.size(); ++i) {
    const char c = label[i];
    if (c == '.') {
      if (run == 0) return 0;
      ++parts;
      run = 0;
      continue;
    }
    const bool is_digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    const bool is_letter = i == 0 && std::isupper(static_cast<unsigned char>(c)) != 0;
    if (!is_digit && !is_letter) {
      const bool roman = closed && std::all_of(label.begin(), label.end(), [](char r) {
                           return std::string_view("IVXLC").find(r) != std::string_view::npos;
                         });
      return roman ? 1 : 0;
    }
    digit = digit || is_digit;
    if (++run > 3) return 0;  // years and amounts are no section numbers
  }
  if (run == 0) return 0;
  return digit || closed ? parts : 0;
}

bool HasHeadingShape(std::string_view text, const TextFacts& facts) {
  if (text.empty() || text.size() > kHeadingBytesMax || facts.letters < 2) return false;
  if (facts.letters * 2 < facts.visible || facts.words > 24) return false;
  const char last = text.back();
  return last != ',' && last != ';' && last != '-' && text.find("....") == std::string_view::npos;
}

std::optional<HeadingStyle> ClassifyPlain(const LineContext& context, const TextFacts& facts,
                                          std::string_view text, HeadingStyle style) {
  const bool alone = context.block_lines == 1;
  if (context.index == 0 && context.block_lines <= 3 && UnderlinesTitle(context.next)) return style;
  if (text.back() == '.' || facts.words > 14) return std::nullopt;
  if (alone && style.capitals && facts.words <= 10) return style;
  if (alone && style.depth >= 2) return style;
  return std::nullopt;
}

std::optional<HeadingStyle> ClassifyByType(const LineContext& context, const TextFacts& facts,
                                           const BodyType& body, HeadingStyle style) {
  const std::string text = FoldWhiteSpace(context.text);
  const bool sentence = text.back() == '.' && facts.words > 6;
  const bool larger = style.size >= body.size() * kLargerFactor && style.size >= body.size() + 1;
  if (larger && context.block_lines <= 4 && !sentence) return style;
  if (style.size < body.size() * 0.9f) return std::nullopt;
  const bool stands_out = style.bold && !body.bold();
  const bool run_in =
      context.next_line != nullptr && !context.next_line->bold && context.index == 0;
  if (stands_out && !sentence && facts.words <= 16 && (context.block_lines <= 3 || run_in)) {
    return style;
  }
  if (text.back() == '.' || text.back() == ':' || context.block_lines > 2) return std::nullopt;
  const bool bold_or_plain = stands_out || !body.bold();
  if (style.depth >= 2 && facts.words <= 14 && bold_or_plain) return style;
  if (style.capitals && facts.words <= 10 && context.block_lines == 1) return style;
  return std::nullopt;
}

}  // namespace

bool NestsUnder(const HeadingStyle& style, const HeadingStyle& above) {
  if (style.markdown || above.markdown) return style.depth > above.depth;
  if (style.depth > 0 && above.depth > 0) return style.depth > above.depth;
  if (style.size < above.size - kSameSize) return true;
  if (style.size > above.size + kSameSize) return false;
  if (style.bold != above.bold) return above.bold;
  if (style.capitals != above.capitals) return above.capitals;
  return false;
}

void BodyType::Observe(const Page& page) {
  for (const Line& line : page.lines) {
    if (line.font_size <= 0 || line.end <= line.begin) continue;
    const auto slot = std::min(static_cast<size_t>(line.font_size * 2 + 0.5f), kSizesMax - 1);
    const uint64_t chars = line.end - line.begin;
    chars_by_half_point_[slot] += chars;
    chars_ += chars;
    if (line.bold) bold_chars_ += chars;
  }
  const auto most = std::max_element(chars_by_half_point_.begin(), chars_by_half_point_.end());
  size_ = *most == 0 ? 0 : static_cast<float>(most - chars_by_half_point_.begin()) / 2;
}

uint32_t NumberDepth(std::string_view title) {
  std::string_view rest;
  const std::string_view first = FirstWord(title, &rest);
  if (first.empty() || rest.empty()) return 0;
  static constexpr std::array<std::string_view, 8> kWords = {
      "chapter", "section", "part", "appendix", "article", "annex", "kapitel", "anhang"};
  std::string lower(first);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) {
    std::string_view after;
    std::string_view label = FirstWord(rest, &after);
    while (label.ends_with(':') || label.ends_with('.')) label.remove_suffix(1);
    const bool short_label = !label.empty() && label.size() <= 5 &&
                             (std::isdigit(static_cast<unsigned char>(label[0])) ||
                              std::isupper(static_cast<unsigned char>(label[0])));
    return short_label ? static_cast<uint32_t>(1 + std::count(label.begin(), label.end(), '.')) : 0;
  }
  size_t pos = 0;
  const std::optional<char32_t> title_start = NextCodePoint(rest, &pos);
  const bool capital =
      title_start && (IsUpper(*title_start) || (IsLetter(*title_start) && !IsLower(*title_start)));
  return capital ? DepthOfLabel(first) : 0;
}

std::optional<HeadingStyle> ClassifyHeading(const LineContext& context, const BodyType& body,
                                            bool markdown) {
  HeadingStyle style;
  if (markdown) {
    style.markdown = true;
    style.depth = MarkdownDepth(context.text);
    const TextFacts facts = Count(context.text);
    if (style.depth > 0) return facts.letters > 0 ? std::optional(style) : std::nullopt;
    const bool underlined = context.index == 0 && context.block_lines >= 2 && facts.letters > 0;
    if (underlined && IsRule(context.next, '=')) style.depth = 1;
    if (underlined && IsRule(context.next, '-')) style.depth = 2;
    return style.depth > 0 ? std::optional(style) : std::nullopt;
  }
  if (context.line->table_row) return std::nullopt;
  const std::string text = FoldWhiteSpace(context.text);
  const TextFacts facts = Count(text);
  if (!HasHeadingShape(text, facts)) return std::nullopt;
  style.depth = NumberDepth(text);
  style.size = context.line->font_size;
  style.bold = context.line->bold;
  style.capitals = facts.upper >= 4 && facts.lower == 0;
  if (style.size <= 0 || body.size() <= 0) return ClassifyPlain(context, facts, text, style);
  return ClassifyByType(context, facts, body, style);
}

std::string HeadingTitle(std::string_view text, const HeadingStyle& style) {
  std::string title = FoldWhiteSpace(text);
  if (style.markdown) {
    const size_t begin = title.find_first_not_of("# ");
    title = begin == std::string::npos ? "" : title.substr(begin);
    const size_t end = title.find_last_not_of("# =");
    title.resize(end == std::string::npos ? 0 : end + 1);
  }
  return title;
}

void HeadingStack::Push(const HeadingStyle& style, std::string title) {
  while (!entries_.empty() && !NestsUnder(style, entries_.back().style)) entries_.pop_back();
  if (entries_.size() >= kStackMax) entries_.erase(entries_.begin());
  entries_.push_back({style, std::move(title)});
}

std::string HeadingStack::Join(size_t count) const {
  std::string path;
  for (size_t i = count; i > 0; --i) {
    const std::string title(CutAtWord(entries_[i - 1].title, kTitleBytesMax));
    if (path.empty()) {
      path = title;
      continue;
    }
    if (title.size() + 3 + path.size() > kPathBytesMax) break;
    path = title + " > " + path;
  }
  return path;
}

std::string HeadingStack::Path() const { return Join(entries_.size()); }
std::string HeadingStack::ParentPath() const {
  return entries_.empty() ? "" : Join(entries_.size() - 1);
}

}  // namespace ragstone::ingest::internal

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <optional>
#include <string>

#include "ingest/chunker.h"
#include "ingest/internal/paragraphs.h"
#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest {
namespace internal {
namespace {

// A paragraph longer than this is cut first, so that one hostile line costs linear time.
constexpr size_t kParagraphBytesMax = 64 * 1024;

// Words whose full stop seldom ends a sentence, in lower case, sorted.
constexpr std::array<std::string_view, 62> kAbbreviations = {
    "al",  "approx", "apr",  "art", "assoc", "aug", "ave", "bzw", "capt", "cf",  "ch",
    "co",  "col",    "corp", "dec", "dept",  "dr",  "ed",  "eds", "eq",   "eqs", "etc",
    "feb", "fig",    "figs", "gen", "gov",   "inc", "jan", "jr",  "jul",  "jun", "lt",
    "ltd", "mar",    "mr",   "mrs", "ms",    "mt",  "no",  "nos", "nov",  "nr",  "oct",
    "p",   "pp",     "prof", "ref", "refs",  "rep", "rev", "sec", "sen",  "sep", "sept",
    "sgt", "sr",     "st",   "tab", "univ",  "vol", "vs"};

icu::BreakIterator* SentenceIterator() {
  // ICU's iterators are costly to make and not thread-safe.
  thread_local const std::unique_ptr<icu::BreakIterator> iterator = [] {
    UErrorCode error = U_ZERO_ERROR;
    std::unique_ptr<icu::BreakIterator> made(
        icu::BreakIterator::createSentenceInstance(icu::Locale::getEnglish(), error));
    return U_SUCCESS(error) ? std::move(made) : nullptr;
  }();
  return iterator.get();
}

// The word (letters and inner full stops) that ends before `end`.
std::string LowerWordBefore(std::string_view text, size_t end) {
  size_t begin = end;
  while (begin > 0 && end - begin < 16) {
    const auto c = static_cast<unsigned char>(text[begin - 1]);
    if (!std::isalpha(c) && c != '.') break;
    --begin;
  }
  std::string word(text.substr(begin, end - begin));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return word;
}

// Whether a sentence break after `left` (trimmed) and before `right` is none: the full stop belongs
// to an abbreviation, an initial or an item's number.
bool IsFalseBreak(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty() || left.back() != '.') return false;
  const std::string word = LowerWordBefore(left, left.size() - 1);
  const bool before_word = left.size() - 1 == word.size();
  size_t pos = 0;
  const std::optional<char32_t> next = NextCodePoint(right, &pos);
  const bool next_digit = next && IsDigit(*next);
  if (word.empty()) {
    // "3." at the very start is the number of an item.
    return std::all_of(left.begin(), left.end() - 1,
                       [](char c) { return std::isdigit(static_cast<unsigned char>(c)); });
  }
  if (word == "no" || word == "nos" || word == "p")
    return next_digit;  // "No. 5", but "She said no. Then ..."
  if (word == "etc" || word == "co" || word == "inc" || word == "ltd" || word == "corp" ||
      word == "st") {
    return next && !IsUpper(*next);
  }
  if (word.size() == 1 && word[0] != 'i') {
    // An initial, as in "J. Smith"; a unit or a label at the end of a sentence stands after a
    // digit.
    const size_t at = left.size() - 2;
    const bool upper = std::isupper(static_cast<unsigned char>(left[at])) != 0;
    return upper && (before_word || left[at - 1] == ' ' || left[at - 1] == '(');
  }
  if (word == "e.g" || word == "i.e" || word == "u.s" || word == "ph.d" || word == "d.h") {
    return word != "u.s" || (next && !IsUpper(*next));
  }
  return std::binary_search(kAbbreviations.begin(), kAbbreviations.end(), std::string_view(word));
}

void AppendTrimmed(std::string_view text, Sentence span, std::vector<Sentence>* sentences,
                   size_t offset) {
  while (span.begin < span.end && std::isspace(static_cast<unsigned char>(text[span.begin])))
    ++span.begin;
  while (span.end > span.begin && std::isspace(static_cast<unsigned char>(text[span.end - 1])))
    --span.end;
  if (span.begin < span.end) sentences->push_back({span.begin + offset, span.end + offset});
}

std::string_view TrimView(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text;
}

void SplitPiece(std::string_view piece, size_t offset, std::vector<Sentence>* sentences) {
  icu::BreakIterator* iterator = SentenceIterator();
  std::string flat(piece);
  std::replace_if(
      flat.begin(), flat.end(),
      [](char c) { return c == '\n' || c == '\t' || c == '\f' || c == '\v'; }, ' ');
  UErrorCode error = U_ZERO_ERROR;
  UText text = UTEXT_INITIALIZER;
  utext_openUTF8(&text, flat.data(), static_cast<int64_t>(flat.size()), &error);
  if (iterator == nullptr || U_FAILURE(error)) {
    AppendTrimmed(flat, {0, flat.size()}, sentences, offset);
    return;
  }
  iterator->setText(&text, error);
  size_t begin = 0;
  for (int32_t at = iterator->first(); at != icu::BreakIterator::DONE; at = iterator->next()) {
    const auto end = static_cast<size_t>(at);
    if (end <= begin) continue;
    const std::string_view left = TrimView(std::string_view(flat).substr(begin, end - begin));
    const std::string_view right = TrimView(std::string_view(flat).substr(end, 32));
    if (end < flat.size() && IsFalseBreak(left, right)) continue;
    AppendTrimmed(flat, {begin, end}, sentences, offset);
    begin = end;
  }
  utext_close(&text);
}

}  // namespace

void SplitParagraph(std::string_view paragraph, size_t offset, std::vector<Sentence>* sentences) {
  while (paragraph.size() > kParagraphBytesMax) {
    size_t cut = paragraph.find_last_of(" \n", kParagraphBytesMax);
    if (cut == std::string_view::npos || cut == 0)
      cut = FloorToCodePoint(paragraph, kParagraphBytesMax);
    SplitPiece(paragraph.substr(0, cut), offset, sentences);
    paragraph.remove_prefix(cut);
    offset += cut;
  }
  SplitPiece(paragraph, offset, sentences);
}

bool StartsListItem(std::string_view line) {
  line = TrimView(line);
  for (const std::string_view mark : {"•", "◦", "▪", "■", "●", "○", "–", "·", "❖", "➢", "✓"}) {
    if (line.starts_with(mark)) return true;
  }
  if (line.size() < 3) return false;
  const bool dash = line[0] == '-' || line[0] == '*' || line[0] == '+';
  if (dash) return line[1] == ' ';
  size_t i = line[0] == '(' ? 1 : 0;
  const size_t core = i;
  while (i < line.size() && std::isdigit(static_cast<unsigned char>(line[i]))) ++i;
  if (i == core) {
    while (i < line.size() && std::string_view("ivxIVX").find(line[i]) != std::string_view::npos)
      ++i;
  }
  if (i == core && std::isalpha(static_cast<unsigned char>(line[i]))) ++i;
  if (i == core || i - core > 4 || i + 1 >= line.size()) return false;
  const bool closed =
      line[i] == ')' || (line[i] == '.' && std::isdigit(static_cast<unsigned char>(line[core])));
  return closed && line[i + 1] == ' ';
}

bool HasDotLeader(std::string_view line) {
  return line.find("....") != std::string_view::npos ||
         line.find(". . . .") != std::string_view::npos;
}

bool EndsSentence(std::string_view text) {
  text = TrimView(text);
  static constexpr std::string_view kClosers[] = {"\"", "'", ")", "]", "”", "’", "»"};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view closer : kClosers) {
      if (text.ends_with(closer)) {
        text.remove_suffix(closer.size());
        again = true;
      }
    }
  }
  static constexpr std::string_view kEnds[] = {".", "!", "?", ":", ";", "…", "。", "！", "？", "؟"};
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [&](std::string_view end) { return text.ends_with(end); });
}

}  // namespace internal

std::vector<Sentence> SplitSentences(std::string_view text) {
  std::vector<Sentence> sentences;
  size_t paragraph = 0;
  const auto flush = [&](size_t end) {
    if (end > paragraph) {
      internal::SplitParagraph(text.substr(paragraph, end - paragraph), paragraph, &sentences);
    }
    paragraph = end;
  };
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view line = text.substr(begin, end - begin);
    const bool row = line.find(" | ") != std::string_view::npos || internal::HasDotLeader(line);
    const bool blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (blank || row || internal::StartsListItem(line)) flush(begin);
    if (row) {
      const std::string_view trimmed = internal::TrimView(line);
      const auto at = static_cast<size_t>(trimmed.data() - text.data());
      sentences.push_back({at, at + trimmed.size()});
      paragraph = end;
    }
    begin = end + 1;
  }
  flush(text.size());
  return sentences;
}

}  // namespace ragstone::ingest

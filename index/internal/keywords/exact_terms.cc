#include "index/internal/keywords/exact_terms.h"

#include <unicode/uchar.h>
#include <unicode/utf16.h>

#include <algorithm>

namespace ragstone::index::keywords {
namespace {

// Of one run; a longer list, such as base64 with slashes, says nothing.
constexpr size_t kPartsMax = 32;

bool IsMark(UChar32 c) { return c == '_' || c == '/' || c == '\\' || c == ':' || c == '@'; }

bool IsSeparator(char16_t c) {
  return c < 0x80 &&
         std::u16string_view(u"=,;()<>[]{}\"'`|&?#!").find(c) != std::u16string_view::npos;
}

bool IsSlash(char16_t c) { return c == u'/' || c == u'\\'; }

// Trims `span` to its first and last letter or digit; whether that is an exact run.
bool TrimToRun(std::u16string_view text, Span* span) {
  int32_t first = -1;
  int32_t last_end = -1;
  bool marked = false;
  bool inner = false;
  bool pending = false;
  for (int32_t i = span->begin; i < span->end;) {
    UChar32 c;
    const int32_t at = i;
    U16_NEXT(text.data(), i, span->end, c);
    if (u_isalnum(c)) {
      if (first < 0) first = at;
      inner = inner || pending;
      last_end = i;
      marked = marked || u_isdigit(c);
    } else if (first >= 0) {
      pending = true;
      marked = marked || IsMark(c);
    }
  }
  if (first < 0) return false;
  *span = {first, last_end};
  return marked && inner;
}

class Collector {
 public:
  Collector(std::u16string_view text, std::vector<Span>* out) : text_(text), out_(out) {}

  void AddWhole(Span run) {
    first_ = out_->size();
    Span trimmed = run;
    // A part has no mark that the whole has not.
    if (!TrimToRun(text_, &trimmed)) return;
    out_->push_back(trimmed);
    int32_t begin = run.begin;
    for (int32_t i = run.begin; i <= run.end; ++i) {
      const bool scheme = i + 2 < run.end && text_.substr(static_cast<size_t>(i), 3) == u"://";
      if (i < run.end && !scheme && !IsSeparator(text_[static_cast<size_t>(i)])) continue;
      AddSection({begin, i});
      begin = i + 1;
    }
  }

 private:
  void AddSection(Span section) {
    if (!TrimToRun(text_, &section)) return;
    Add(section);
    int32_t begin = section.begin;
    for (int32_t i = section.begin; i <= section.end; ++i) {
      if (i < section.end && !IsSlash(text_[static_cast<size_t>(i)])) continue;
      Span part{begin, i};
      if (TrimToRun(text_, &part)) Add(part);
      begin = i + 1;
    }
  }

  void Add(Span span) {
    if (out_->size() - first_ > kPartsMax) return;
    if (std::find(out_->begin() + static_cast<ptrdiff_t>(first_), out_->end(), span) == out_->end())
      out_->push_back(span);
  }

  const std::u16string_view text_;
  std::vector<Span>* const out_;
  size_t first_ = 0;  // of the current run's spans
};

}  // namespace

std::vector<Span> ExactRuns(std::u16string_view text) {
  std::vector<Span> spans;
  Collector collector(text, &spans);
  const int32_t size = static_cast<int32_t>(text.size());
  int32_t begin = -1;
  for (int32_t i = 0; i < size;) {
    UChar32 c;
    const int32_t at = i;
    U16_NEXT(text.data(), i, size, c);
    const bool blank = c < 0x80 ? c == ' ' || (c >= 9 && c <= 13) : u_isUWhiteSpace(c) != 0;
    if (!blank && begin < 0) begin = at;
    if (blank && begin >= 0) {
      collector.AddWhole({begin, at});
      begin = -1;
    }
  }
  if (begin >= 0) collector.AddWhole({begin, size});
  return spans;
}

std::vector<Span> WordParts(std::u16string_view text, Span word) {
  std::vector<Span> parts;
  bool letter = false;
  int32_t begin = word.begin;
  for (int32_t i = word.begin; i <= word.end; ++i) {
    const char16_t c = i < word.end ? text[static_cast<size_t>(i)] : u'.';
    if (c != u'.' && c != u'_' && c != u':') {
      letter = letter || c > 0x7f || (c >= u'a' && c <= u'z');
      continue;
    }
    if (i - begin >= 2 && i - begin < word.end - word.begin) parts.push_back({begin, i});
    begin = i + 1;
  }
  if (!letter || parts.size() > kPartsMax) parts.clear();
  return parts;
}

}  // namespace ragstone::index::keywords

#include "llm/span_matcher.h"

#include <algorithm>

namespace ragstone::llm {
namespace {

bool IsSpace(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsDigit(unsigned char c) { return c >= '0' && c <= '9'; }
bool IsAlnum(unsigned char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

// Whether an ideograph or kana begins at `i`: scripts that set no spaces between words.
bool IsIdeograph(std::string_view text, size_t i) {
  const auto c = static_cast<unsigned char>(text[i]);
  if (c < 0xE3 || i + 2 >= text.size()) return false;
  if (c >= 0xF0) return c == 0xF0 && static_cast<unsigned char>(text[i + 1]) >= 0xA0;
  const uint32_t code = ((c & 0x0Fu) << 12) |
                        ((static_cast<unsigned char>(text[i + 1]) & 0x3Fu) << 6) |
                        (static_cast<unsigned char>(text[i + 2]) & 0x3Fu);
  return (code >= 0x3040 && code <= 0x30FF) || (code >= 0x3400 && code <= 0x9FFF) ||
         (code >= 0xF900 && code <= 0xFAFF);
}

bool IsContinuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// First byte of the character that ends before `i`.
size_t CharacterBefore(std::string_view text, size_t i) {
  size_t start = i - 1;
  while (start > 0 && i - start < 4 && IsContinuation(static_cast<unsigned char>(text[start]))) {
    --start;
  }
  return start;
}

// Whether the two sides of byte `i` belong to one word.
bool InsideWord(std::string_view text, size_t i) {
  if (i == 0 || i >= text.size()) return false;
  const auto before = static_cast<unsigned char>(text[i - 1]);
  const auto after = static_cast<unsigned char>(text[i]);
  if (IsContinuation(after)) return true;
  if (IsAlnum(before) && IsAlnum(after)) {
    return !IsIdeograph(text, i) && !IsIdeograph(text, CharacterBefore(text, i));
  }
  // "3.5", "1,000", "U.S", "don't": the mark has a word character on both sides.
  const auto is_mark = [](unsigned char c) { return c == '.' || c == ',' || c == '\''; };
  if (is_mark(after) && IsAlnum(before)) {
    return i + 1 < text.size() && IsAlnum(static_cast<unsigned char>(text[i + 1])) &&
           (after != ',' || (IsDigit(before) && IsDigit(static_cast<unsigned char>(text[i + 1]))));
  }
  if (is_mark(before) && IsAlnum(after)) {
    return i >= 2 && IsAlnum(static_cast<unsigned char>(text[i - 2])) &&
           (before != ',' || (IsDigit(static_cast<unsigned char>(text[i - 2])) && IsDigit(after)));
  }
  return false;
}

}  // namespace

SpanMatcher::SpanMatcher(const std::vector<std::string>& sources,
                         const std::vector<std::string>& alternatives, uint32_t words_max)
    : kept_(sources), words_max_(words_max) {
  kept_.insert(kept_.end(), alternatives.begin(), alternatives.end());
  for (size_t i = 0; i < kept_.size(); ++i) {
    AddText(kept_[i], i < sources.size() ? static_cast<int32_t>(i) : -1);
  }
}

void SpanMatcher::AddText(const std::string& source, int32_t index) {
  Text text;
  text.source = &source;
  text.index = index;
  for (size_t i = 0; i < source.size(); ++i) {
    const bool space = IsSpace(static_cast<unsigned char>(source[i]));
    if (space && (text.bytes.empty() || text.bytes.back() == ' ')) continue;
    text.bytes += space ? ' ' : source[i];
    text.origin.push_back(static_cast<uint32_t>(i));
  }
  if (!text.bytes.empty() && text.bytes.back() == ' ') {
    text.bytes.pop_back();
    text.origin.pop_back();
  }
  if (text.bytes.empty()) return;
  text.origin.push_back(text.origin.back() + 1);
  uint32_t words = 0;
  bool in_word = false;
  for (size_t i = 0; i <= text.bytes.size(); ++i) {
    text.boundary.push_back(!InsideWord(text.bytes, i));
    if (i == text.bytes.size()) break;
    const bool word_byte =
        IsAlnum(static_cast<unsigned char>(text.bytes[i])) || (!text.boundary[i] && in_word);
    if (word_byte && (!in_word || text.boundary[i])) ++words;
    in_word = word_byte;
    text.words.push_back(words);
  }
  texts_.push_back(std::move(text));
}

std::vector<SpanMatcher::Place> SpanMatcher::Starts() const {
  std::vector<Place> starts;
  for (uint32_t t = 0; t < texts_.size(); ++t) {
    const Text& text = texts_[t];
    const auto size = static_cast<uint32_t>(text.bytes.size());
    const uint32_t last = text.index < 0 ? 1 : size;
    for (uint32_t i = 0; i < last; ++i) {
      const uint32_t before = i == 0 ? 0 : text.words[i - 1];
      const bool has_word = text.words.back() > before || text.words.back() == 0;
      if (has_word && text.boundary[i] && text.bytes[i] != ' ') starts.push_back(Place{t, i, i});
    }
  }
  return starts;
}

std::string_view SpanMatcher::Rest(const Place& place) const {
  return std::string_view(texts_[place.text].bytes).substr(place.pos);
}

bool SpanMatcher::Advance(std::string_view bytes, Place* place) const {
  const Text& text = texts_[place->text];
  if (place->pos == place->begin && bytes.size() > 1 && bytes.front() == ' ') {
    bytes.remove_prefix(1);
  }
  if (bytes.empty() || text.bytes.size() - place->pos < bytes.size()) return false;
  if (text.bytes.compare(place->pos, bytes.size(), bytes) != 0) return false;
  const uint32_t pos = place->pos + static_cast<uint32_t>(bytes.size());
  if (text.index >= 0) {
    const uint32_t before = place->begin == 0 ? 0 : text.words[place->begin - 1];
    if (text.words[pos - 1] - before > words_max_) return false;
  }
  place->pos = pos;
  return true;
}

bool SpanMatcher::IsEnd(const Place& place) const {
  const Text& text = texts_[place.text];
  if (place.pos == place.begin) return false;
  if (text.index < 0) return place.pos == text.bytes.size();
  const uint32_t before = place.begin == 0 ? 0 : text.words[place.begin - 1];
  const bool has_word = text.words[place.pos - 1] > before || text.words.back() == 0;
  return has_word && text.boundary[place.pos] && text.bytes[place.pos - 1] != ' ';
}

SpanMatcher::Span SpanMatcher::Resolve(const Place& place) const {
  const Text& text = texts_[place.text];
  uint32_t end = place.pos;
  if (text.index >= 0 && end - place.begin > 1) {
    // A mark before a space or the end belongs to the sentence, not to the span.
    const char last = text.bytes[end - 1];
    const bool mark = last == ',' || last == ';' || last == ':' || last == '.';
    if (mark && (end == text.bytes.size() || text.bytes[end] == ' ')) --end;
  }
  Span span;
  span.source = text.index;
  span.begin = text.origin[place.begin];
  span.end = text.origin[end - 1] + 1;
  span.text = text.source->substr(span.begin, span.end - span.begin);
  return span;
}

}  // namespace ragstone::llm

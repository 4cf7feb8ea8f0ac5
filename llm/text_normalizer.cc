#include "llm/text_normalizer.h"

#include <unicode/normalizer2.h>
#include <unicode/uniset.h>
#include <unicode/unorm2.h>

#include <algorithm>

#include "llm/bert_normalizer.h"
#include "llm/unigram_tables.h"

namespace ragstone::llm {
namespace {

const icu::Normalizer2* WholeNormalizer(UnicodeForm form, UErrorCode& error) {
  switch (form) {
    case UnicodeForm::kNfc:
      return icu::Normalizer2::getNFCInstance(error);
    case UnicodeForm::kNfd:
      return icu::Normalizer2::getNFDInstance(error);
    case UnicodeForm::kNfkc:
      return icu::Normalizer2::getNFKCInstance(error);
    case UnicodeForm::kNfkd:
      return icu::Normalizer2::getNFKDInstance(error);
  }
  return nullptr;
}

// The crate behind `tokenizers` normalises by Unicode 9.0: younger characters stay as they are,
// and what was assigned then has the same forms in every later version.
const icu::UnicodeSet& Unicode9() {
  static const icu::UnicodeSet* const kSet = [] {
    UErrorCode error = U_ZERO_ERROR;
    auto* set = new icu::UnicodeSet(icu::UnicodeString::fromUTF8("[:age=9.0:]"), error);
    CHECK(U_SUCCESS(error) != 0);
    set->freeze();
    return set;
  }();
  return *kSet;
}

void Append(UnicodeForm form, std::string_view text, std::string& out) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) {
    out += text;
    return;
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* whole = WholeNormalizer(form, error);
  CHECK(U_SUCCESS(error) != 0);
  const icu::FilteredNormalizer2 normalizer(*whole, Unicode9());
  const auto source =
      icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
  icu::UnicodeString normal;
  normalizer.normalize(source, normal, error);
  CHECK(U_SUCCESS(error) != 0);
  normal.toUTF8String(out);
}

void Append(const PrecompiledCharsmap& map, std::string_view text, std::string& out) {
  map.Append(text, out);
}

void Append(LowercaseStep, std::string_view text, std::string& out) {
  for (size_t at = 0; at < text.size();) AppendLowerCase(ReadCodePoint(text, at), out);
}

bool IsAccent(uint32_t c) {
  const auto ranges = GetUnigramTables().accents;
  const auto at = std::upper_bound(
      ranges.begin(), ranges.end(), c,
      [](uint32_t value, const CodePointRange& range) { return value < range.first; });
  return at != ranges.begin() && c <= (at - 1)->last;
}

void Append(StripAccentsStep, std::string_view text, std::string& out) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const uint32_t c = ReadCodePoint(text, at);
    if (c < 0x80 || !IsAccent(c)) out += text.substr(begin, at - begin);
  }
}

void Append(const StripStep& step, std::string_view text, std::string& out) {
  size_t begin = text.size(), end = 0;  // of what is not white space
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    if (WordBreakOf(ReadCodePoint(text, at)) == WordBreak::kSpace) continue;
    begin = std::min(begin, here);
    end = at;
  }
  if (!step.left) begin = 0;
  if (!step.right) end = text.size();
  if (begin < end) out += text.substr(begin, end - begin);
}

void Append(const ReplaceStep& step, std::string_view text, std::string& out) {
  for (size_t at = 0; at < text.size();) {
    const size_t found = std::min(text.find(step.from, at), text.size());
    out += text.substr(at, found - at);
    at = found;
    if (at == text.size()) break;
    uint32_t repeats = 0;
    do {
      at += step.from.size();
      ++repeats;
    } while (step.repeats_min > 0 && text.substr(at).starts_with(step.from));
    out += repeats >= step.repeats_min ? std::string_view(step.to) : text.substr(found, at - found);
  }
}

}  // namespace

void TextNormalizer::Normalize(std::string_view text, std::string& out) const {
  std::string before;
  out.clear();
  if (steps_.empty()) out = text;
  for (size_t i = 0; i < steps_.size(); ++i) {
    std::visit([&](const auto& step) { Append(step, text, out); }, steps_[i]);
    if (i + 1 == steps_.size()) break;
    before.swap(out);
    text = before;
    out.clear();
  }
}

}  // namespace ragstone::llm

#include "index/filter/names.h"

#include <algorithm>

namespace ragstone::index {
namespace {

constexpr size_t kQuotedBytesMax = 40;
constexpr size_t kNamesListedMax = 8;

bool IsContinuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Bytes of the well-formed code point that `text` begins with; 0 if it is malformed.
size_t CodePointBytes(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  const auto second = static_cast<uint8_t>(text[1]);
  if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
  if (lead == 0xED && second > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && second < 0x90) return 0;  // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;  // above U+10FFFF
  return size;
}

// The optimal string alignment distance: Damerau's four edits, no substring edited twice.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = Lower(a[i - 1]) == Lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) &&
          Lower(a[i - 2]) == Lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = CodePointBytes(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void AppendUtf8(char32_t code_point, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::string Quoted(std::string_view text) {
  if (text.size() <= kQuotedBytesMax) return "\"" + std::string(text) + "\"";
  size_t end = kQuotedBytesMax;
  while (end > 0 && IsContinuation(text[end])) --end;
  return "\"" + std::string(text.substr(0, end)) + "…\"";
}

std::string_view NearestName(std::string_view name, const std::vector<std::string_view>& names) {
  // Longer names have no near one worth the quadratic comparison.
  if (name.size() > 128) return {};
  const size_t edits_max = std::max<size_t>(1, name.size() / 3);
  std::string_view best;
  size_t best_edits = edits_max + 1;
  for (const std::string_view candidate : names) {
    if (candidate.size() > name.size() + edits_max || name.size() > candidate.size() + edits_max) {
      continue;
    }
    const size_t edits = EditDistance(name, candidate);
    if (edits < best_edits && edits < name.size()) {
      best = candidate;
      best_edits = edits;
    }
  }
  return best;
}

std::string NameHint(std::string_view name, const std::vector<std::string_view>& names) {
  const std::string_view nearest = NearestName(name, names);
  if (!nearest.empty()) return "; did you mean " + Quoted(nearest) + "?";
  if (names.empty()) return "; there are no fields";
  std::string hint = "; the fields are: ";
  for (size_t i = 0; i < names.size() && i < kNamesListedMax; ++i) {
    if (i > 0) hint += ", ";
    hint += names[i];
  }
  if (names.size() > kNamesListedMax) {
    hint += " and " + std::to_string(names.size() - kNamesListedMax) + " more";
  }
  return hint;
}

}  // namespace ragstone::index

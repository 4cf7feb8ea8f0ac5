#include "services/cli/text.h"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>

namespace ragstone::services::cli {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// A character that a terminal would act upon rather than show.
bool IsDangerous(UChar32 c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return true;
  const bool bidi = c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
                    (c >= 0x2066 && c <= 0x2069);
  return bidi || c == 0x2028 || c == 0x2029;
}

// Reads the character at `offset` and moves behind it; a negative one is a malformed byte.
UChar32 NextChar(std::string_view text, int32_t* offset) {
  UChar32 c = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int32_t>(text.size());
  U8_NEXT(bytes, *offset, length, c);
  return c;
}

int CharWidth(UChar32 c) {
  if (c < 0) return 1;
  const int type = u_charType(c);
  if (type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK || type == U_FORMAT_CHAR) return 0;
  const int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

// The limit keeps offsets within ICU's 32 bits; nothing that long is ever shown.
std::string_view Bounded(std::string_view text) { return text.substr(0, size_t{1} << 30); }

std::string Clean(std::string_view text, bool keep_lines) {
  text = Bounded(text);
  std::string out;
  out.reserve(text.size());
  for (int32_t offset = 0; offset < static_cast<int32_t>(text.size());) {
    const int32_t begin = offset;
    const UChar32 c = NextChar(text, &offset);
    if (c == '\n' || c == '\t') {
      out += keep_lines ? static_cast<char>(c) : ' ';
    } else if (c < 0 || IsDangerous(c)) {
      out += kReplacement;
    } else {
      out += text.substr(begin, offset - begin);
    }
  }
  return out;
}

// The longest beginning of the text that fits into `width` columns, in bytes.
size_t PrefixThatFits(std::string_view text, int width) {
  int used = 0;
  for (int32_t offset = 0; offset < static_cast<int32_t>(text.size());) {
    const int32_t begin = offset;
    used += CharWidth(NextChar(text, &offset));
    if (used > width) return begin;
  }
  return text.size();
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({row[j - 1] + 1, above + 1, change});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Sanitize(std::string_view text) { return Clean(text, false); }
std::string SanitizeLines(std::string_view text) { return Clean(text, true); }

std::string EscapeJsonControls(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  // JSON is checked UTF-8 here; below U+0080 only DEL is not escaped yet, newlines are layout.
  for (size_t start = 0; start < json.size();) {
    const std::string_view piece = json.substr(start, size_t{1} << 30);
    for (int32_t offset = 0; offset < static_cast<int32_t>(piece.size());) {
      const int32_t begin = offset;
      const UChar32 c = NextChar(piece, &offset);
      if (c >= 0x7F && IsDangerous(c)) {
        out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
      } else {
        out += piece.substr(begin, offset - begin);
      }
    }
    start += piece.size();
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  text = Bounded(text);
  for (int32_t offset = 0; offset < static_cast<int32_t>(text.size());) {
    if (NextChar(text, &offset) < 0) return false;
  }
  return true;
}

int DisplayWidth(std::string_view text) {
  text = Bounded(text);
  int width = 0;
  for (int32_t offset = 0; offset < static_cast<int32_t>(text.size());) {
    width += CharWidth(NextChar(text, &offset));
  }
  return width;
}

std::string TruncateToWidth(std::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width < 1) return "";
  return std::string(text.substr(0, PrefixThatFits(text, width - 1))) + "…";
}

std::string TruncateFront(std::string_view text, int width) {
  const int total = DisplayWidth(text);
  if (total <= width) return std::string(text);
  if (width < 1) return "";
  int skipped = 0;
  int32_t offset = 0;
  while (offset < static_cast<int32_t>(text.size()) && total - skipped > width - 1) {
    skipped += CharWidth(NextChar(text, &offset));
  }
  return "…" + std::string(text.substr(offset));
}

std::vector<std::string> Wrap(std::string_view text, int width) {
  width = std::max(width, 1);
  std::vector<std::string> lines;
  std::string line;
  int used = 0;
  size_t at = 0;
  const auto flush = [&] {
    if (!line.empty()) lines.push_back(std::move(line));
    line.clear();
    used = 0;
  };
  while (at < text.size()) {
    const size_t begin = text.find_first_not_of(" \t\n", at);
    if (begin == std::string_view::npos) break;
    const size_t end = std::min(text.find_first_of(" \t\n", begin), text.size());
    std::string_view word = text.substr(begin, end - begin);
    at = end;
    if (used > 0 && used + 1 + DisplayWidth(word) > width) flush();
    while (DisplayWidth(word) > width) {
      // A character wider than the whole line still has to go somewhere.
      const size_t cut = std::max<size_t>(PrefixThatFits(word, width), 1);
      lines.emplace_back(word.substr(0, cut));
      word.remove_prefix(cut);
    }
    if (used > 0) {
      line += ' ';
      ++used;
    }
    line += word;
    used += DisplayWidth(word);
  }
  flush();
  return lines;
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<int> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - DisplayWidth(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string HumanBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string HumanDuration(double seconds) {
  const auto whole = static_cast<int64_t>(std::clamp(seconds, 0.0, 8.64e6));
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string NearestName(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(name.substr(0, 64), candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

}  // namespace ragstone::services::cli

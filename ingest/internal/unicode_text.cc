#include "ingest/internal/unicode_text.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

namespace ragstone::ingest::internal {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// PDFDocEncoding where it differs from Latin-1: 0x18-0x1F and 0x80-0x9F, and 0xA0.
constexpr char32_t kPdfDocLow[8] = {0x02D8, 0x02C7, 0x02C6, 0x02D9, 0x02DD, 0x02DB, 0x02DA, 0x02DC};
constexpr char32_t kPdfDocHigh[33] = {
    0x2022, 0x2020, 0x2021, 0x2026, 0x2014, 0x2013, 0x0192, 0x2044, 0x2039, 0x203A, 0x2212,
    0x2030, 0x201E, 0x201C, 0x201D, 0x2018, 0x2019, 0x201A, 0x2122, 0xFB01, 0xFB02, 0x0141,
    0x0152, 0x0160, 0x0178, 0x017D, 0x0131, 0x0142, 0x0153, 0x0161, 0x017E, 0,      0x20AC};

char32_t FromPdfDocEncoding(unsigned char byte) {
  if (byte >= 0x18 && byte < 0x20) return kPdfDocLow[byte - 0x18];
  if (byte >= 0x80 && byte <= 0xA0) return kPdfDocHigh[byte - 0x80];
  return byte;
}

// Forms that stand for ordinary letters. Superscripts, fractions and the like are left alone: "m2"
// is not what "m²" says.
bool IsPresentationForm(char32_t c) {
  return (c >= 0xFB00 && c <= 0xFB4F) || (c >= 0xFB50 && c <= 0xFDFB) ||
         (c >= 0xFE70 && c <= 0xFEFC) || (c >= 0xFF01 && c <= 0xFF5E) ||
         (c >= 0x2F00 && c <= 0x2FD5) || (c >= 0xF900 && c <= 0xFAD9);
}

// Fonts such as Symbol and Wingdings map their bullets into the private-use area.
bool IsPrivateBullet(char32_t c) {
  return c == 0xF0B7 || c == 0xF0A7 || c == 0xF06E || c == 0xF0D8 || c == 0xF0FC || c == 0xF076 ||
         c == 0xF075 || c == 0xF071 || c == 0xF06C;
}

// Returns 0 for what is left out.
char32_t MapCodePoint(char32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return 0;
  if (c == 0xAD || c == 0xFEFF || c == kReplacement || c == 0x200B) return 0;
  if (c >= 0x200E && c <= 0x200F) return 0;
  if (c >= 0x202A && c <= 0x202E) return 0;
  if (c >= 0x2066 && c <= 0x2069) return 0;
  if (c == 0x2010 || c == 0x2011) return '-';
  if (IsPrivateBullet(c)) return 0x2022;
  if ((c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000) return 0;
  if (c >= 0xD800 && c <= 0xDFFF) return 0;
  if ((c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF)) return 0;
  return c;
}

std::string NormalizeWord(const icu::UnicodeString& word, bool compatibility) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = compatibility ? icu::Normalizer2::getNFKCInstance(error)
                                                     : icu::Normalizer2::getNFCInstance(error);
  std::string out;
  if (U_FAILURE(error)) return word.toUTF8String(out);
  const icu::UnicodeString normal = normalizer->normalize(word, error);
  return U_FAILURE(error) ? word.toUTF8String(out) : normal.toUTF8String(out);
}

}  // namespace

std::optional<char32_t> NextCodePoint(std::string_view text, size_t* pos) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t at = (*pos)++;
  const unsigned char first = byte(at);
  if (first < 0x80) return first;
  const int extra = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || text.size() - at <= static_cast<size_t>(extra)) {
    return std::nullopt;
  }
  char32_t value = first & (0x3F >> extra);
  for (int i = 1; i <= extra; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return std::nullopt;
    value = (value << 6) | (byte(at + i) & 0x3F);
  }
  const bool overlong = (extra == 2 && value < 0x800) || (extra == 3 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return std::nullopt;
  *pos = at + 1 + extra;
  return value;
}

void AppendUtf8(char32_t c, std::string* out) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = kReplacement;
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
    return;
  }
  if (c < 0x800) {
    out->push_back(static_cast<char>(0xC0 | (c >> 6)));
  } else {
    if (c < 0x10000) {
      out->push_back(static_cast<char>(0xE0 | (c >> 12)));
    } else {
      out->push_back(static_cast<char>(0xF0 | (c >> 18)));
      out->push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    }
    out->push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
  }
  out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
}

size_t FindInvalidUtf8(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    const size_t at = pos;
    if (!NextCodePoint(text, &pos)) return at;
  }
  return std::string_view::npos;
}

size_t FloorToCodePoint(std::string_view text, size_t pos) {
  if (pos >= text.size()) return text.size();
  while (pos > 0 && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80) --pos;
  return pos;
}

std::optional<std::string> Utf16ToUtf8(std::string_view bytes, bool big_endian) {
  if (bytes.size() % 2 != 0) return std::nullopt;
  const auto unit = [&](size_t i) -> char32_t {
    const auto a = static_cast<unsigned char>(bytes[i]);
    const auto b = static_cast<unsigned char>(bytes[i + 1]);
    return big_endian ? a << 8 | b : b << 8 | a;
  };
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size(); i += 2) {
    char32_t c = unit(i);
    if (c >= 0xDC00 && c <= 0xDFFF) return std::nullopt;
    if (c >= 0xD800 && c <= 0xDBFF) {
      if (i + 4 > bytes.size()) return std::nullopt;
      const char32_t low = unit(i + 2);
      if (low < 0xDC00 || low > 0xDFFF) return std::nullopt;
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      i += 2;
    }
    AppendUtf8(c, &out);
  }
  return out;
}

std::string DecodePdfString(std::string_view bytes) {
  std::string text;
  if (bytes.substr(0, 2) == "\xFE\xFF" || bytes.substr(0, 2) == "\xFF\xFE") {
    const std::string_view body = bytes.substr(2);
    text = Utf16ToUtf8(body.substr(0, body.size() & ~size_t{1}), bytes[0] == '\xFE').value_or("");
  } else if (bytes.substr(0, 3) == "\xEF\xBB\xBF") {
    text = bytes.substr(3);
  } else {
    for (const char c : bytes) AppendUtf8(FromPdfDocEncoding(static_cast<unsigned char>(c)), &text);
  }
  std::string clean;
  for (size_t pos = 0; pos < text.size();) {
    const std::optional<char32_t> c = NextCodePoint(text, &pos);
    if (!c) continue;
    if (IsWhiteSpace(*c)) {
      clean.push_back(' ');
    } else if (const char32_t mapped = MapCodePoint(*c); mapped != 0) {
      AppendUtf8(mapped, &clean);
    }
  }
  return FoldWhiteSpace(clean);
}

std::string CleanWord(std::u32string_view word) {
  bool ascii = true;
  for (const char32_t c : word) ascii = ascii && c >= 0x20 && c < 0x7F;
  if (ascii) return std::string(word.begin(), word.end());
  // Only the presentation forms are decomposed, so that "½" beside a ligature stays as it is.
  std::string out;
  icu::UnicodeString plain;
  for (const char32_t c : word) {
    const char32_t mapped = IsWhiteSpace(c) ? 0 : MapCodePoint(c);
    if (mapped == 0) continue;
    if (!IsPresentationForm(mapped)) {
      plain.append(static_cast<UChar32>(mapped));
      continue;
    }
    const std::string form = NormalizeWord(icu::UnicodeString(static_cast<UChar32>(mapped)), true);
    plain.append(icu::UnicodeString::fromUTF8(form));
  }
  out = NormalizeWord(plain, false);
  std::erase(out, ' ');  // some Arabic forms decompose to a space and a mark
  return out;
}

bool IsWhiteSpace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return u_isUWhiteSpace(static_cast<UChar32>(c));
}
bool IsLower(char32_t c) {
  return c < 0x80 ? c >= 'a' && c <= 'z' : u_islower(static_cast<UChar32>(c)) != 0;
}
bool IsUpper(char32_t c) {
  return c < 0x80 ? c >= 'A' && c <= 'Z' : u_isupper(static_cast<UChar32>(c)) != 0;
}
bool IsLetter(char32_t c) {
  return c < 0x80 ? IsLower(c) || IsUpper(c) : u_isalpha(static_cast<UChar32>(c)) != 0;
}
bool IsDigit(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : u_isdigit(static_cast<UChar32>(c)) != 0;
}
bool IsRightToLeft(char32_t c) {
  if (c < 0x590) return false;
  const UCharDirection direction = u_charDirection(static_cast<UChar32>(c));
  return direction == U_RIGHT_TO_LEFT || direction == U_RIGHT_TO_LEFT_ARABIC;
}

std::string FoldWhiteSpace(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool gap = false;
  for (size_t pos = 0; pos < text.size();) {
    const size_t at = pos;
    const std::optional<char32_t> c = NextCodePoint(text, &pos);
    if (c && IsWhiteSpace(*c)) {
      gap = !out.empty();
      continue;
    }
    if (gap) out.push_back(' ');
    gap = false;
    out.append(text.substr(at, pos - at));
  }
  return out;
}

std::string_view CutAtWord(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  const size_t space = text.rfind(' ', bytes_max);
  if (space != std::string_view::npos && space > 0) {
    std::string_view cut = text.substr(0, space);
    while (!cut.empty() && cut.back() == ' ') cut.remove_suffix(1);
    if (!cut.empty()) return cut;
  }
  return text.substr(0, FloorToCodePoint(text, bytes_max));
}

}  // namespace ragstone::ingest::internal

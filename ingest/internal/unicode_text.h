#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ragstone::ingest::internal {

// Reads one code point at `*pos` and moves `*pos` behind it. Returns nullopt (and moves one byte)
// if the bytes there are not well-formed UTF-8. `*pos` must be inside `text`.
std::optional<char32_t> NextCodePoint(std::string_view text, size_t* pos);

// Appends a code point as UTF-8; surrogates and values beyond U+10FFFF become U+FFFD.
void AppendUtf8(char32_t code_point, std::string* out);

// Returns the offset of the first byte that is not well-formed UTF-8, or npos.
size_t FindInvalidUtf8(std::string_view text);

// Returns the largest offset <= `pos` at which a code point begins.
size_t FloorToCodePoint(std::string_view text, size_t pos);

// Converts UTF-16 (no byte order mark) to UTF-8; nullopt if it has an odd length or a lone
// surrogate.
std::optional<std::string> Utf16ToUtf8(std::string_view bytes, bool big_endian);

// Decodes a PDF text string: UTF-16 or UTF-8 by its byte order mark, else PDFDocEncoding. Control
// characters and ill-formed parts are left out, white space is folded.
std::string DecodePdfString(std::string_view bytes);

// Cleans the text of one word from a font: ligatures and presentation forms become their letters,
// private-use bullets a bullet, controls, soft hyphens and unmapped code points go, the rest is
// NFC.
std::string CleanWord(std::u32string_view word);

bool IsWhiteSpace(char32_t code_point);
bool IsLower(char32_t code_point);
bool IsUpper(char32_t code_point);
bool IsLetter(char32_t code_point);
bool IsDigit(char32_t code_point);
// Written right to left (Hebrew, Arabic and their relatives).
bool IsRightToLeft(char32_t code_point);

// Returns the text with every run of white space as one space, trimmed.
std::string FoldWhiteSpace(std::string_view text);

// Returns the longest prefix of at most `bytes_max` bytes that ends at a word or, if the first word
// is longer, at a code point.
std::string_view CutAtWord(std::string_view text, size_t bytes_max);

}  // namespace ragstone::ingest::internal

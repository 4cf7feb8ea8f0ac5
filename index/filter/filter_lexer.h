#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/filter/payload.h"

// The words of the filter language. Not for callers: filter_parser.h is.
namespace ragstone::index {

enum class TokenKind : uint8_t {
  kEnd,
  kWord,         // a field name without quotes
  kName,         // a field name in backticks
  kKeyword,      // lower case in `text`
  kString,       // `value` holds the text
  kNumber,       // `value` holds an integer or a float
  kTime,         // a date or time without quotes; `value` holds its text
  kOperator,     // = != < <= > >=, in `text`
  kPunctuation,  // ( ) [ ] ,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  Scalar value;
  uint64_t large_id = 0;  // a number above INT64_MAX, which only ids may be
  uint32_t column = 1;    // 1-based, in code points

  bool Is(TokenKind wanted, std::string_view wanted_text) const {
    return kind == wanted && text == wanted_text;
  }
  bool IsKeyword(std::string_view keyword) const { return Is(TokenKind::kKeyword, keyword); }
  // For messages: `the keyword "and"`, `the end`.
  std::string Describe() const;
};

// Whether the word, in any case, is reserved.
bool IsFilterKeyword(std::string_view word);
// Whether a name can be written without backticks.
bool IsPlainName(std::string_view name);

// An error at a column.
Status FilterError(uint32_t column, std::string message);

// Splits a filter into tokens; the last one is kEnd. INVALID_ARGUMENT for text that no token begins
// with, strings without an end, unknown escapes, numbers beyond 64 bits.
Result<std::vector<Token>> LexFilter(std::string_view text);

}  // namespace ragstone::index

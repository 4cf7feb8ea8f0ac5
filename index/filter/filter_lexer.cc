#include "index/filter/filter_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "index/filter/datetime.h"
#include "index/filter/names.h"

namespace ragstone::index {
namespace {

constexpr std::array<std::string_view, 15> kKeywords = {
    "and",   "between", "contains", "exists", "false",  "has_id", "in",  "is",
    "match", "not",     "null",     "or",     "prefix", "range",  "true"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsNameStart(char c) {
  return IsLetter(c) || c == '_' || c == '@' || c == '$' || static_cast<uint8_t>(c) >= 0x80;
}
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c) || c == '-' || c == '.'; }
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string LowerAscii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// One pass over the text, a token for each call.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> Run() {
    if (!IsUtf8(text_)) {
      return InvalidArgument(Reason::kInvalidArgument, "the filter is not valid UTF-8");
    }
    std::vector<Token> tokens;
    for (;;) {
      while (at_ < text_.size() && IsBlank(text_[at_])) Advance(1);
      Token token;
      token.column = column_;
      RETURN_IF_ERROR(Next(&token));
      const bool end = token.kind == TokenKind::kEnd;
      tokens.push_back(std::move(token));
      if (end) return tokens;
    }
  }

 private:
  char Peek(size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  std::string_view Advance(size_t bytes) {
    const std::string_view taken = text_.substr(at_, bytes);
    at_ += taken.size();
    for (const char c : taken) {
      if ((static_cast<uint8_t>(c) & 0xC0) != 0x80) ++column_;
    }
    return taken;
  }

  template <typename Predicate>
  std::string_view Take(Predicate part) {
    size_t size = 0;
    while (at_ + size < text_.size() && part(text_[at_ + size])) ++size;
    return Advance(size);
  }

  Status Next(Token* token) {
    if (at_ == text_.size()) return OkStatus();
    const char c = text_[at_];
    if (c == '"' || c == '\'') return String(token);
    if (c == '`') return QuotedName(token);
    if (std::string_view("()[],").find(c) != std::string_view::npos) {
      token->kind = TokenKind::kPunctuation;
      token->text = Advance(1);
      return OkStatus();
    }
    const bool sign = c == '-' || c == '+' || c == '.';
    if (IsDigit(c) || (sign && (IsDigit(Peek(1)) || (Peek(1) == '.' && IsDigit(Peek(2)))))) {
      return Number(token);
    }
    if (IsTypographicQuote()) {
      return FilterError(column_, "typographic quotes do not begin a text; use \" or '");
    }
    if (IsNameStart(c)) return Word(token);
    return Operator(token);
  }

  // U+2018 to U+201F, which word processors put in the place of " and '.
  bool IsTypographicQuote() const {
    return Peek(0) == '\xE2' && Peek(1) == '\x80' && Peek(2) >= '\x98' && Peek(2) <= '\x9F';
  }

  Status Word(Token* token) {
    const std::string_view word = Take(IsNamePart);
    const bool keyword = IsFilterKeyword(word);
    token->kind = keyword ? TokenKind::kKeyword : TokenKind::kWord;
    token->text = keyword ? LowerAscii(word) : std::string(word);
    return OkStatus();
  }

  Status QuotedName(Token* token) {
    Advance(1);
    token->kind = TokenKind::kName;
    token->text = Take([](char c) { return c != '`'; });
    if (at_ == text_.size()) {
      return FilterError(token->column, "the name that begins here has no closing backtick");
    }
    Advance(1);
    if (token->text.empty()) return FilterError(token->column, "a field name is not empty");
    return OkStatus();
  }

  Status Operator(Token* token) {
    // What is written, and what it means.
    static constexpr std::pair<std::string_view, std::string_view> kOperators[] = {
        {"<=", "<="}, {">=", ">="}, {"!=", "!="}, {"<>", "!="}, {"==", "="}, {"&&", "and"},
        {"||", "or"}, {"<", "<"},   {">", ">"},   {"=", "="},   {"!", "not"}};
    for (const auto& [written, meaning] : kOperators) {
      if (text_.substr(at_, written.size()) != written) continue;
      Advance(written.size());
      token->kind = IsLetter(meaning[0]) ? TokenKind::kKeyword : TokenKind::kOperator;
      token->text = meaning;
      return OkStatus();
    }
    const auto byte = static_cast<uint8_t>(text_[at_]);
    const std::string what = byte < 0x20 || byte == 0x7F ? "a control character"
                                                         : "\"" + std::string(1, text_[at_]) + "\"";
    return FilterError(column_, what +
                                    " begins nothing of the filter language; quote texts with "
                                    "\" and unusual field names with backticks");
  }

  Status Number(Token* token) {
    const std::string_view text = Take([](char c) {
      return IsDigit(c) || IsLetter(c) || c == '.' || c == '+' || c == '-' || c == ':' || c == '_';
    });
    token->text = text;
    token->kind = TokenKind::kNumber;
    const std::string_view digits = text[0] == '+' ? text.substr(1) : text;
    const char* const end = digits.data() + digits.size();
    int64_t integer = 0;
    const auto whole = std::from_chars(digits.data(), end, integer);
    if (whole.ptr == end && whole.ec == std::errc()) {
      token->value = integer;
      return OkStatus();
    }
    if (whole.ptr == end && whole.ec == std::errc::result_out_of_range) {
      const auto id = std::from_chars(digits.data(), end, token->large_id);
      if (id.ptr == end && id.ec == std::errc()) return OkStatus();
      return FilterError(token->column, Quoted(text) +
                                            " does not fit a 64-bit integer; write it "
                                            "as a float, such as 1e19");
    }
    double number = 0;
    const auto real = std::from_chars(digits.data(), end, number);
    if (real.ptr == end && real.ec == std::errc() && std::isfinite(number)) {
      token->value = number;
      return OkStatus();
    }
    if (real.ptr == end && real.ec == std::errc::result_out_of_range) {
      return FilterError(token->column, Quoted(text) + " is out of the range of a float");
    }
    const Result<ParsedTime> time = ParseTime(text);
    if (time.ok()) {
      token->kind = TokenKind::kTime;
      token->value = std::string(text);
      return OkStatus();
    }
    return FilterError(token->column, Quoted(text) +
                                          " is no number and no date; quote it if it is "
                                          "a text or a time");
  }

  Status String(Token* token) {
    const char quote = Advance(1)[0];
    std::string text;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\') {
        RETURN_IF_ERROR(Escape(&text));
      } else {
        text += Take([quote](char c) { return c != quote && c != '\\'; });
      }
    }
    if (at_ == text_.size()) {
      return FilterError(token->column,
                         "the text that begins here has no closing " + std::string(1, quote));
    }
    Advance(1);
    token->kind = TokenKind::kString;
    token->value = std::move(text);
    return OkStatus();
  }

  Status Escape(std::string* out) {
    const uint32_t column = column_;
    const char c = Peek(1);
    static constexpr std::pair<char, char> kEscapes[] = {
        {'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'\\', '\\'}, {'"', '"'}, {'\'', '\''}, {'/', '/'}};
    for (const auto& [written, meaning] : kEscapes) {
      if (c != written || at_ + 1 == text_.size()) continue;
      Advance(2);
      out->push_back(meaning);
      return OkStatus();
    }
    if (c != 'u') {
      return FilterError(column,
                         "unknown escape; expected \\\\, \\\", \\', \\n, \\t, \\r or "
                         "\\u and four hexadecimal digits");
    }
    return UnicodeEscape(column, out);
  }

  // \uXXXX, or a pair of them for code points above U+FFFF, as in JSON.
  Status UnicodeEscape(uint32_t column, std::string* out) {
    const int first = HexUnit();
    char32_t code_point = static_cast<char32_t>(first);
    bool good = first >= 0;
    if (first >= 0xD800 && first < 0xDC00) {
      const int second = HexUnit();
      good = second >= 0xDC00 && second < 0xE000;
      code_point = 0x10000 + static_cast<char32_t>((first - 0xD800) << 10) +
                   static_cast<char32_t>(second - 0xDC00);
    } else if (first >= 0xDC00 && first < 0xE000) {
      good = false;
    }
    if (!good) {
      return FilterError(column,
                         "\\u is not followed by four hexadecimal digits of a character "
                         "(or a pair of surrogates)");
    }
    AppendUtf8(code_point, out);
    return OkStatus();
  }

  // Reads \uXXXX; -1 if it is not there.
  int HexUnit() {
    if (Peek(0) != '\\' || Peek(1) != 'u') return -1;
    int unit = 0;
    for (size_t i = 2; i < 6; ++i) {
      const int digit = HexDigit(Peek(i));
      if (digit < 0) return -1;
      unit = unit * 16 + digit;
    }
    Advance(6);
    return unit;
  }

  std::string_view text_;
  size_t at_ = 0;
  uint32_t column_ = 1;
};

}  // namespace

bool IsFilterKeyword(std::string_view word) {
  if (word.size() > 8) return false;
  const std::string lower = LowerAscii(word);
  return std::find(kKeywords.begin(), kKeywords.end(), lower) != kKeywords.end();
}

bool IsPlainName(std::string_view name) {
  // Three bytes of a typographic quote would not be read as the name that they begin.
  return !name.empty() && IsNameStart(name[0]) &&
         std::all_of(name.begin(), name.end(), IsNamePart) && !IsFilterKeyword(name) &&
         name.find("\xE2\x80") == std::string_view::npos;
}

Status FilterError(uint32_t column, std::string message) {
  return InvalidArgument(Reason::kInvalidArgument,
                         "filter, column " + std::to_string(column) + ": " + std::move(message));
}

std::string Token::Describe() const {
  switch (kind) {
    case TokenKind::kEnd:
      return "the end";
    case TokenKind::kWord:
    case TokenKind::kName:
      return "the name " + Quoted(text);
    case TokenKind::kKeyword:
      return "the keyword " + Quoted(text);
    case TokenKind::kString:
      return "the text " + Quoted(std::get<std::string>(value));
    case TokenKind::kNumber:
      return "the number " + text;
    case TokenKind::kTime:
      return "the time " + Quoted(text);
    case TokenKind::kOperator:
    case TokenKind::kPunctuation:
      break;
  }
  return Quoted(text);
}

Result<std::vector<Token>> LexFilter(std::string_view text) { return Lexer(text).Run(); }

}  // namespace ragstone::index

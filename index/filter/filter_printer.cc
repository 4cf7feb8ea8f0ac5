// PrintFilter and ScalarText.
#include <array>
#include <charconv>

#include "index/filter/datetime.h"
#include "index/filter/filter_lexer.h"
#include "index/filter/filter_parser.h"

namespace ragstone::index {
namespace {

std::string QuotedString(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (byte < 0x20 || byte == 0x7F) {
          out += "\\u00";
          out += kDigits[byte >> 4];
          out += kDigits[byte & 15];
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

// The shortest text that gives the same float, and that is not read as an integer.
std::string DoubleText(double number) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  std::string text(buffer.data(), end.ptr);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

struct ScalarPrinter {
  std::string operator()(const std::string& value) const { return QuotedString(value); }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return DoubleText(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(Datetime value) const { return "\"" + FormatTime(value) + "\""; }
};

std::string NameText(const std::string& name) {
  return IsPlainName(name) ? name : "`" + name + "`";
}

class Printer {
 public:
  // Whether parentheses are needed where an operand of "and" or "not" stands.
  static bool IsJoin(const Filter& node) {
    if (node.kind != FilterKind::kAnd && node.kind != FilterKind::kOr) return false;
    return node.children.size() > 1 || (node.children.size() == 1 && IsJoin(node.children[0]));
  }

  void Print(const Filter& node) {
    switch (node.kind) {
      case FilterKind::kAnd:
        return Join(node, " and ", "true");
      case FilterKind::kOr:
        return Join(node, " or ", "false");
      case FilterKind::kNot:
        return Negation(node);
      case FilterKind::kHasId:
        return Ids(node);
      default:
        return Condition(node, false);
    }
  }

  std::string out;

 private:
  void Join(const Filter& node, std::string_view word, std::string_view none) {
    if (node.children.empty()) out += none;
    for (size_t i = 0; i < node.children.size(); ++i) {
      if (i > 0) out += word;
      const Filter& child = node.children[i];
      // "and" binds closer, so an "and" among operands of "or" needs no parentheses.
      const bool inner_and = node.kind == FilterKind::kOr && child.kind == FilterKind::kAnd &&
                             child.children.size() > 1;
      const bool parentheses = node.children.size() > 1 && IsJoin(child) && !inner_and;
      Operand(child, parentheses);
    }
  }

  void Operand(const Filter& node, bool parentheses) {
    if (parentheses) out += "(";
    Print(node);
    if (parentheses) out += ")";
  }

  void Negation(const Filter& node) {
    if (node.children.empty()) {  // CheckShape refuses it; there is nothing it could mean
      out += "false";
      return;
    }
    const Filter& child = node.children[0];
    const bool has_word = child.kind == FilterKind::kIn || child.kind == FilterKind::kExists ||
                          (child.kind >= FilterKind::kPrefix && child.kind <= FilterKind::kMatch);
    if (has_word) return Condition(child, true);
    out += "not ";
    Operand(child, IsJoin(child));
  }

  void Condition(const Filter& node, bool negated) {
    out += NameText(node.field);
    const std::string_view no = negated ? " not " : " ";
    switch (node.kind) {
      case FilterKind::kIn:
        return Values(node, negated);
      case FilterKind::kRange:
        return Bounds(node);
      case FilterKind::kPrefix:
        return TextCondition(node, no, "prefix ");
      case FilterKind::kContains:
        return TextCondition(node, no, "contains ");
      case FilterKind::kMatch:
        return TextCondition(node, no, "match ");
      default:
        out += negated ? " is null" : " exists";
    }
  }

  void TextCondition(const Filter& node, std::string_view no, std::string_view word) {
    out += no;
    out += word;
    out += QuotedString(node.text);
  }

  void Values(const Filter& node, bool negated) {
    if (node.values.size() == 1) {
      out += negated ? " != " : " = ";
      out += ScalarText(node.values[0]);
      return;
    }
    out += negated ? " not in (" : " in (";
    for (size_t i = 0; i < node.values.size(); ++i) {
      if (i > 0) out += ", ";
      out += ScalarText(node.values[i]);
    }
    out += ")";
  }

  void Bounds(const Filter& node) {
    if (node.lower.has_value() && node.upper.has_value()) {
      const std::string lower = ScalarText(node.lower->value);
      const std::string upper = ScalarText(node.upper->value);
      if (node.lower->inclusive && node.upper->inclusive) {
        out += " between " + lower + " and " + upper;
        return;
      }
      out += node.lower->inclusive ? " range [" : " range (";
      out += lower + ", " + upper;
      out += node.upper->inclusive ? "]" : ")";
    } else if (node.lower.has_value()) {
      out += node.lower->inclusive ? " >= " : " > ";
      out += ScalarText(node.lower->value);
    } else if (node.upper.has_value()) {
      out += node.upper->inclusive ? " <= " : " < ";
      out += ScalarText(node.upper->value);
    } else {
      out += " exists";
    }
  }

  void Ids(const Filter& node) {
    if (node.ids.empty()) {
      out += "false";
      return;
    }
    out += "has_id (";
    for (size_t i = 0; i < node.ids.size(); ++i) {
      if (i > 0) out += ", ";
      const auto* number = std::get_if<uint64_t>(&node.ids[i]);
      out += number != nullptr ? std::to_string(*number)
                               : QuotedString(std::get<std::string>(node.ids[i]));
    }
    out += ")";
  }
};

}  // namespace

std::string ScalarText(const Scalar& value) { return std::visit(ScalarPrinter(), value); }

std::string PrintFilter(const Filter& filter) {
  Printer printer;
  printer.Print(filter);
  return std::move(printer.out);
}

}  // namespace ragstone::index

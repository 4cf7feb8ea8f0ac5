#include "index/filter/filter_parser.h"

#include "index/filter/filter_lexer.h"
#include "index/filter/names.h"

namespace ragstone::index {
namespace {

// Recursive descent over the grammar of docs/FILTERS.md. The depth limit bounds the recursion.
class Parser {
 public:
  Parser(std::vector<Token> tokens, const FilterLimits& limits)
      : tokens_(std::move(tokens)), limits_(limits) {}

  Result<Filter> Run() {
    if (Peek().kind == TokenKind::kEnd) return Filter();
    ASSIGN_OR_RETURN(Filter filter, ParseOr(1));
    if (Peek().kind != TokenKind::kEnd) return AfterCondition();
    return filter;
  }

 private:
  const Token& Peek() const { return tokens_[at_]; }
  // kEnd is never passed.
  const Token& Take() {
    const Token& token = tokens_[at_];
    if (token.kind != TokenKind::kEnd) ++at_;
    return token;
  }
  bool SkipKeyword(std::string_view keyword) {
    const bool there = Peek().IsKeyword(keyword);
    if (there) Take();
    return there;
  }
  bool SkipPunctuation(std::string_view mark) {
    const bool there = Peek().Is(TokenKind::kPunctuation, mark);
    if (there) Take();
    return there;
  }

  Status Expected(std::string_view what) const {
    return FilterError(Peek().column,
                       "expected " + std::string(what) + ", found " + Peek().Describe());
  }

  // Something stands where "and", "or" or the end belongs.
  Status AfterCondition() const {
    if (Peek().Is(TokenKind::kPunctuation, ")")) {
      return FilterError(Peek().column, "this \")\" closes no parenthesis");
    }
    if (Peek().kind == TokenKind::kWord) {
      static const std::vector<std::string_view> kJoins = {"and", "or"};
      const std::string_view near = NearestName(Peek().text, kJoins);
      if (!near.empty()) {
        return Expected("\"and\", \"or\" or the end (did you mean " + Quoted(near) + "?)");
      }
    }
    return Expected("\"and\", \"or\" or the end");
  }

  Status CountNode() {
    if (++nodes_ <= limits_.nodes_max) return OkStatus();
    return Limit("conditions", limits_.nodes_max);
  }
  Status CountValue() {
    if (++values_ <= limits_.values_max) return OkStatus();
    return Limit("values", limits_.values_max);
  }
  Status CheckDepth(size_t depth) const {
    if (depth <= limits_.depth_max) return OkStatus();
    return Limit("levels of nesting", limits_.depth_max);
  }
  Status Limit(std::string_view what, size_t limit) const {
    return InvalidArgument(Reason::kLimitExceeded,
                           "filter, column " + std::to_string(Peek().column) + ": more than " +
                               std::to_string(limit) + " " + std::string(what) +
                               "; split the request");
  }

  Result<Filter> ParseOr(size_t depth) { return ParseJoin(FilterKind::kOr, depth); }

  // Operands joined by "or", each of operands joined by "and".
  Result<Filter> ParseJoin(FilterKind kind, size_t depth) {
    RETURN_IF_ERROR(CheckDepth(depth));
    const bool is_or = kind == FilterKind::kOr;
    std::vector<Filter> operands;
    do {
      if (is_or) {
        ASSIGN_OR_RETURN(Filter operand, ParseJoin(FilterKind::kAnd, depth));
        operands.push_back(std::move(operand));
      } else {
        ASSIGN_OR_RETURN(Filter operand, ParseNot(depth));
        operands.push_back(std::move(operand));
      }
    } while (SkipKeyword(is_or ? "or" : "and"));
    if (operands.size() > 1) RETURN_IF_ERROR(CountNode());
    return is_or ? Or(std::move(operands)) : And(std::move(operands));
  }

  Result<Filter> ParseNot(size_t depth) {
    RETURN_IF_ERROR(CheckDepth(depth));
    if (!SkipKeyword("not")) return ParsePrimary(depth);
    RETURN_IF_ERROR(CountNode());
    ASSIGN_OR_RETURN(Filter child, ParseNot(depth + 1));
    return Not(std::move(child));
  }

  Result<Filter> ParsePrimary(size_t depth) {
    RETURN_IF_ERROR(CountNode());
    const Token& token = Peek();
    if (SkipPunctuation("(")) {
      ASSIGN_OR_RETURN(Filter inner, ParseOr(depth + 1));
      if (SkipPunctuation(")")) return inner;
      return Expected("\")\" for the \"(\" at column " + std::to_string(token.column) +
                      ", \"and\" or \"or\"");
    }
    if (token.kind == TokenKind::kKeyword) return ParseKeywordPrimary();
    if (token.kind == TokenKind::kWord || token.kind == TokenKind::kName) return ParseCondition();
    if (token.kind == TokenKind::kString) {
      return Expected("a field name first (a name with unusual characters stands in backticks)");
    }
    return Expected("a field name, \"not\" or \"(\"");
  }

  Result<Filter> ParseKeywordPrimary() {
    if (SkipKeyword("true")) return Filter();
    if (SkipKeyword("false")) return Or({});
    if (SkipKeyword("has_id")) return ParseHasId();
    const std::string& keyword = Peek().text;
    if (keyword == "and" || keyword == "or") return Expected("a field name, \"not\" or \"(\"");
    return Expected("a field name, \"not\" or \"(\" (a field of this name is written `" + keyword +
                    "`)");
  }

  Result<Filter> ParseCondition() {
    const Token& name = Take();
    Filter node;
    node.field = name.text;
    node.column = name.column;
    const bool negated = SkipKeyword("not");
    const Token& op = Peek();
    if (op.kind == TokenKind::kOperator && !negated) return ParseComparison(std::move(node));
    Result<Filter> condition = ParseWordCondition(std::move(node), negated);
    if (!condition.ok() || !negated) return condition;
    RETURN_IF_ERROR(CountNode());
    return Not(std::move(condition).value());
  }

  // The conditions that a keyword tells; a field alone is `= true`.
  Result<Filter> ParseWordCondition(Filter node, bool negated) {
    if (SkipKeyword("in")) return ParseIn(std::move(node));
    if (SkipKeyword("between")) return ParseBetween(std::move(node));
    if (SkipKeyword("range")) return ParseRange(std::move(node));
    if (SkipKeyword("exists")) {
      node.kind = FilterKind::kExists;
      return node;
    }
    if (SkipKeyword("contains")) return ParseTextCondition(FilterKind::kContains, std::move(node));
    if (SkipKeyword("prefix")) return ParseTextCondition(FilterKind::kPrefix, std::move(node));
    if (SkipKeyword("match")) return ParseTextCondition(FilterKind::kMatch, std::move(node));
    if (negated) {
      return Expected("in, between, range, exists, contains, prefix or match after \"not\"");
    }
    if (SkipKeyword("is")) return ParseIsNull(std::move(node));
    if (!EndsCondition(Peek())) return UnknownOperator(node);
    node.kind = FilterKind::kIn;
    node.values.emplace_back(true);
    return node;
  }

  static bool EndsCondition(const Token& token) {
    return token.kind == TokenKind::kEnd || token.IsKeyword("and") || token.IsKeyword("or") ||
           token.Is(TokenKind::kPunctuation, ")");
  }

  Status UnknownOperator(const Filter& node) const {
    static const std::vector<std::string_view> kOperators = {
        "in", "between", "range", "exists", "contains", "prefix", "match", "is", "and", "or"};
    std::string what = "an operator after " + Quoted(node.field) +
                       ": =, !=, <, <=, >, >=, in, not in, between, range, exists, is null, "
                       "contains, prefix or match";
    if (Peek().kind == TokenKind::kWord) {
      const std::string_view near = NearestName(Peek().text, kOperators);
      if (!near.empty()) what += " (did you mean " + Quoted(near) + "?)";
    }
    return Expected(what);
  }

  Result<Filter> ParseIsNull(Filter node) {
    const bool exists = SkipKeyword("not");
    if (!SkipKeyword("null")) return Expected(exists ? "\"null\"" : "\"null\" or \"not null\"");
    node.kind = FilterKind::kExists;
    if (exists) return node;
    RETURN_IF_ERROR(CountNode());
    return Not(std::move(node));
  }

  Result<Filter> ParseComparison(Filter node) {
    const std::string op = Take().text;
    ASSIGN_OR_RETURN(Scalar value, ParseValue("a value after " + Quoted(op), &node));
    if (op == "=" || op == "!=") {
      node.kind = FilterKind::kIn;
      node.values.push_back(std::move(value));
      if (op == "=") return node;
      RETURN_IF_ERROR(CountNode());
      return Not(std::move(node));
    }
    node.kind = FilterKind::kRange;
    Bound bound{std::move(value), op.size() == 2};
    (op[0] == '<' ? node.upper : node.lower) = std::move(bound);
    return node;
  }

  // A text, number or boolean; its column is noted at the node.
  Result<Scalar> ParseValue(const std::string& what, Filter* node) {
    const Token& token = Peek();
    RETURN_IF_ERROR(CountValue());
    if (token.large_id != 0) {
      return FilterError(token.column, token.text +
                                           " does not fit a 64-bit integer with a sign; "
                                           "write it as a float, such as 1e19");
    }
    node->value_columns.push_back(token.column);
    switch (token.kind) {
      case TokenKind::kString:
      case TokenKind::kNumber:
      case TokenKind::kTime:
        return Take().value;
      case TokenKind::kKeyword:
        if (SkipKeyword("true")) return Scalar(true);
        if (SkipKeyword("false")) return Scalar(false);
        if (token.text == "null") {
          return Expected(what + " (for fields without a value write `" + node->field +
                          " is null`)");
        }
        return Expected(what);
      case TokenKind::kWord:
        return Expected(what + " (a text stands in quotes: \"" + token.text + "\")");
      default:
        return Expected(what);
    }
  }

  // The values between brackets; the opening one was taken.
  Result<Filter> ParseIn(Filter node) {
    node.kind = FilterKind::kIn;
    ASSIGN_OR_RETURN(const Opening open, ParseOpening());
    do {
      ASSIGN_OR_RETURN(Scalar value, ParseValue("a value", &node));
      node.values.push_back(std::move(value));
    } while (SkipPunctuation(","));
    RETURN_IF_ERROR(ParseClosing(open));
    return node;
  }

  struct Opening {
    uint32_t column = 0;
    std::string_view closing;
    std::string_view opening;
  };

  Result<Opening> ParseOpening() {
    const uint32_t column = Peek().column;
    if (SkipPunctuation("(")) return Opening{column, ")", "("};
    if (SkipPunctuation("[")) return Opening{column, "]", "["};
    return Expected("\"(\" before the list of values");
  }

  Status ParseClosing(const Opening& open) {
    if (SkipPunctuation(open.closing)) return OkStatus();
    return Expected("\",\" or \"" + std::string(open.closing) + "\" for the \"" +
                    std::string(open.opening) + "\" at column " + std::to_string(open.column));
  }

  Result<Filter> ParseHasId() {
    Filter node;
    node.kind = FilterKind::kHasId;
    ASSIGN_OR_RETURN(const Opening open, ParseOpening());
    do {
      RETURN_IF_ERROR(CountValue());
      const Token& token = Peek();
      const auto* number = std::get_if<int64_t>(&token.value);
      if (token.kind == TokenKind::kString) {
        node.ids.emplace_back(std::get<std::string>(token.value));
      } else if (token.large_id != 0) {
        node.ids.emplace_back(token.large_id);
      } else if (token.kind == TokenKind::kNumber && number != nullptr && *number >= 0) {
        node.ids.emplace_back(static_cast<uint64_t>(*number));
      } else {
        return Expected("an id: a whole number of at least 0, or a quoted text");
      }
      Take();
    } while (SkipPunctuation(","));
    RETURN_IF_ERROR(ParseClosing(open));
    return node;
  }

  Result<Filter> ParseBetween(Filter node) {
    node.kind = FilterKind::kRange;
    ASSIGN_OR_RETURN(Scalar lower, ParseValue("a value after \"between\"", &node));
    if (!SkipKeyword("and")) return Expected("\"and\" between the two values of \"between\"");
    ASSIGN_OR_RETURN(Scalar upper, ParseValue("a value after \"and\"", &node));
    node.lower = Bound{std::move(lower), true};
    node.upper = Bound{std::move(upper), true};
    return node;
  }

  // [a, b), with any of the four pairs of brackets.
  Result<Filter> ParseRange(Filter node) {
    node.kind = FilterKind::kRange;
    const uint32_t column = Peek().column;
    const bool closed_below = Peek().Is(TokenKind::kPunctuation, "[");
    if (!SkipPunctuation("[") && !SkipPunctuation("(")) {
      return Expected("\"[\" (bound included) or \"(\" (excluded) after \"range\"");
    }
    ASSIGN_OR_RETURN(Scalar lower, ParseValue("the lower value of the range", &node));
    if (!SkipPunctuation(",")) return Expected("\",\" between the two values of the range");
    ASSIGN_OR_RETURN(Scalar upper, ParseValue("the upper value of the range", &node));
    const bool closed_above = Peek().Is(TokenKind::kPunctuation, "]");
    if (!SkipPunctuation("]") && !SkipPunctuation(")")) {
      return Expected("\"]\" (bound included) or \")\" (excluded) for the range at column " +
                      std::to_string(column));
    }
    node.lower = Bound{std::move(lower), closed_below};
    node.upper = Bound{std::move(upper), closed_above};
    return node;
  }

  Result<Filter> ParseTextCondition(FilterKind kind, Filter node) {
    const Token& token = Peek();
    if (token.kind != TokenKind::kString) {
      return Expected("a quoted text after " + Quoted(tokens_[at_ - 1].text));
    }
    node.kind = kind;
    node.text = std::get<std::string>(token.value);
    if (node.text.empty()) {
      return FilterError(token.column,
                         "an empty text is in every text; expected at least one "
                         "character");
    }
    node.value_columns.push_back(token.column);
    Take();
    return node;
  }

  const std::vector<Token> tokens_;
  const FilterLimits limits_;
  size_t at_ = 0;
  size_t nodes_ = 0;
  size_t values_ = 0;
};

}  // namespace

Result<Filter> ParseFilter(std::string_view text, const FilterLimits& limits) {
  if (text.size() > limits.text_bytes_max) {
    return InvalidArgument(Reason::kLimitExceeded, "the filter has " + std::to_string(text.size()) +
                                                       " bytes, " +
                                                       std::to_string(limits.text_bytes_max) +
                                                       " are allowed; split the request");
  }
  ASSIGN_OR_RETURN(std::vector<Token> tokens, LexFilter(text));
  return Parser(std::move(tokens), limits).Run();
}

}  // namespace ragstone::index

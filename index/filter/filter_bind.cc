// BindFilter: values brought to the types of the fields.
#include <algorithm>
#include <cmath>
#include <limits>

#include "index/filter/datetime.h"
#include "index/filter/filter.h"
#include "index/filter/names.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;

Status BadAt(uint32_t column, std::string message) {
  std::string where = column > 0 ? "filter, column " + std::to_string(column) + ": " : "filter: ";
  return InvalidArgument(Reason::kInvalidArgument, where + std::move(message));
}

std::string FieldText(const FieldSpec& field) {
  return "field " + Quoted(field.name) + " (" + std::string(FieldTypeName(field.type)) + ")";
}

std::string Shortened(const Scalar& value) {
  std::string text = ScalarText(value);
  return text.size() <= 60 ? text : "a text of " + std::to_string(text.size()) + " bytes";
}

// What to write for a value of the type, for messages.
std::string_view Example(FieldType type) {
  switch (type) {
    case FieldType::kInteger:
      return "a whole number such as 2020";
    case FieldType::kFloat:
      return "a number such as 0.5";
    case FieldType::kBoolean:
      return "true or false";
    case FieldType::kDatetime:
      return "a quoted date or time such as \"2024-05-01\"";
    case FieldType::kKeyword:
    case FieldType::kText:
      break;
  }
  return "quoted text such as \"en\"";
}

// A node of the tree with the field that it speaks of.
struct Context {
  const FieldSpec* field;
  const Filter* node;

  uint32_t ValueColumn(size_t i) const {
    return i < node->value_columns.size() ? node->value_columns[i] : node->column;
  }
  Status Mismatch(size_t i, const Scalar& value) const {
    if (node->column > 0 && node->value_columns.empty()) {
      return BadAt(node->column, FieldText(*field) +
                                     " stands alone, which only a boolean may; expected an "
                                     "operator after it, such as =, in or exists");
    }
    return BadAt(ValueColumn(i), FieldText(*field) + " cannot be compared with " +
                                     Shortened(value) + "; expected " +
                                     std::string(Example(field->type)));
  }
};

// Whether `number` is an integer that 64 bits hold.
bool IsWhole(double number) {
  return number == std::floor(number) && number >= -kTwoTo63 && number < kTwoTo63;
}

// How an integer lies to the float nearest to it: -1, 0 or 1.
int CompareToFloat(int64_t integer, double number) {
  if (number >= kTwoTo63) return -1;
  const auto rounded = static_cast<int64_t>(number);
  return integer < rounded ? -1 : integer > rounded ? 1 : 0;
}

// The value of `=` and `in`, of every type but datetime.
Result<Scalar> BindEqual(const Context& context, size_t i) {
  const Scalar& value = context.node->values[i];
  const auto* integer = std::get_if<int64_t>(&value);
  const auto* number = std::get_if<double>(&value);
  switch (context.field->type) {
    case FieldType::kKeyword:
    case FieldType::kText:
      if (std::holds_alternative<std::string>(value)) return value;
      break;
    case FieldType::kBoolean:
      if (std::holds_alternative<bool>(value)) return value;
      break;
    case FieldType::kInteger:
      if (integer != nullptr) return value;
      if (number != nullptr && IsWhole(*number)) return Scalar(static_cast<int64_t>(*number));
      if (number != nullptr) {
        return BadAt(context.ValueColumn(i), FieldText(*context.field) + " never equals " +
                                                 ScalarText(value) +
                                                 "; expected a whole number of 64 bits");
      }
      break;
    case FieldType::kFloat:
      if (integer != nullptr) {
        const auto nearest = static_cast<double>(*integer);
        if (CompareToFloat(*integer, nearest) == 0) return Scalar(nearest);
        return BadAt(context.ValueColumn(i), FieldText(*context.field) + " never equals " +
                                                 ScalarText(value) +
                                                 ", which no float is; expected a number such as "
                                                 "9007199254740992, or use < and >");
      }
      if (number != nullptr) return Scalar(*number == 0 ? 0.0 : *number);
      break;
    case FieldType::kDatetime:
      break;
  }
  return context.Mismatch(i, value);
}

Result<ParsedTime> BindTime(const Context& context, size_t i, const Scalar& value) {
  Result<ParsedTime> parsed = ParsedTime();
  if (const auto* time = std::get_if<Datetime>(&value)) {
    const Status possible = CheckTime(*time);
    parsed = possible.ok() ? Result<ParsedTime>(ParsedTime{*time, false}) : possible;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    parsed = ParseTime(*text);
  } else {
    return context.Mismatch(i, value);
  }
  if (parsed.ok()) return parsed;
  return BadAt(context.ValueColumn(i),
               FieldText(*context.field) + ": " + parsed.status().message());
}

// `in` of datetimes: instants stay a list, days become ranges, one for days that follow each other.
Result<Filter> BindTimes(const Context& context) {
  std::vector<Scalar> instants;
  std::vector<Datetime> days;
  for (size_t i = 0; i < context.node->values.size(); ++i) {
    ASSIGN_OR_RETURN(const ParsedTime time, BindTime(context, i, context.node->values[i]));
    if (time.date_only) {
      days.push_back(time.time);
    } else {
      instants.emplace_back(time.time);
    }
  }
  std::sort(days.begin(), days.end());
  days.erase(std::unique(days.begin(), days.end()), days.end());
  std::vector<Filter> any;
  for (const Datetime day : days) {
    if (!any.empty() && any.back().upper->value == Scalar(day)) {
      any.back().upper->value = NextDay(day);
    } else {
      any.push_back(Range(context.field->name, Bound{day, true}, Bound{NextDay(day), false}));
    }
  }
  if (!instants.empty()) any.push_back(In(context.field->name, std::move(instants)));
  return Or(std::move(any));
}

// A bound on an integer field given as a float: the nearest integer that means the same.
Bound IntegerBound(double number, bool inclusive, bool is_lower) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (number >= kTwoTo63) return {kMax, !is_lower};
  if (number < -kTwoTo63) return {kMin, is_lower};
  if (IsWhole(number)) return {static_cast<int64_t>(number), inclusive};
  const double rounded = is_lower ? std::ceil(number) : std::floor(number);
  return {static_cast<int64_t>(rounded), true};
}

// A bound on a float field given as an integer, which may have no float: no other float lies
// between it and the nearest one.
Bound FloatBound(int64_t integer, bool inclusive, bool is_lower) {
  const auto number = static_cast<double>(integer);
  const int side = CompareToFloat(integer, number);
  if (side == 0) return {number, inclusive};
  return {number, is_lower == (side < 0)};
}

Result<Bound> BindBound(const Context& context, size_t i, const Bound& bound, bool is_lower) {
  const auto* integer = std::get_if<int64_t>(&bound.value);
  const auto* number = std::get_if<double>(&bound.value);
  switch (context.field->type) {
    case FieldType::kKeyword:
      if (std::holds_alternative<std::string>(bound.value)) return bound;
      break;
    case FieldType::kInteger:
      if (integer != nullptr) return bound;
      if (number != nullptr) return IntegerBound(*number, bound.inclusive, is_lower);
      break;
    case FieldType::kFloat:
      if (integer != nullptr) return FloatBound(*integer, bound.inclusive, is_lower);
      if (number != nullptr) return Bound{*number == 0 ? 0.0 : *number, bound.inclusive};
      break;
    case FieldType::kDatetime: {
      ASSIGN_OR_RETURN(const ParsedTime time, BindTime(context, i, bound.value));
      if (!time.date_only) return Bound{time.time, bound.inclusive};
      // `> day` is after the whole day and `<= day` includes all of it.
      if (is_lower) return Bound{bound.inclusive ? time.time : NextDay(time.time), true};
      return Bound{bound.inclusive ? NextDay(time.time) : time.time, false};
    }
    case FieldType::kBoolean:
    case FieldType::kText:
      break;
  }
  return context.Mismatch(i, bound.value);
}

Result<Filter> BindRange(const Context& context) {
  if (context.field->type == FieldType::kBoolean) {
    return BadAt(context.node->column,
                 FieldText(*context.field) + " has no order; use =, != or in");
  }
  Filter bound = *context.node;
  const bool has_lower = bound.lower.has_value();
  if (has_lower) {
    ASSIGN_OR_RETURN(bound.lower, BindBound(context, 0, *context.node->lower, true));
  }
  if (bound.upper.has_value()) {
    const size_t at = has_lower ? 1 : 0;
    ASSIGN_OR_RETURN(bound.upper, BindBound(context, at, *context.node->upper, false));
  }
  return bound;
}

Result<Filter> BindIn(const Context& context) {
  if (context.field->type == FieldType::kDatetime) return BindTimes(context);
  Filter bound = *context.node;
  for (size_t i = 0; i < bound.values.size(); ++i) {
    ASSIGN_OR_RETURN(bound.values[i], BindEqual(context, i));
  }
  return bound;
}

Status CheckWords(const Context& context) {
  ASSIGN_OR_RETURN(const keywords::TextTerms terms, keywords::SplitTerms(context.node->text));
  if (!terms.words.empty()) return OkStatus();
  return BadAt(context.ValueColumn(0), FieldText(*context.field) + " is searched for " +
                                           Shortened(context.node->text) +
                                           ", which holds no word; expected at least one");
}

Status CheckOperator(const Context& context) {
  const FieldType type = context.field->type;
  const uint32_t column = context.node->column;
  switch (context.node->kind) {
    case FilterKind::kIn:
    case FilterKind::kRange:
      if (type != FieldType::kText) return OkStatus();
      return BadAt(column, FieldText(*context.field) +
                               " is not compared as a whole; use match, contains, prefix or "
                               "exists, or make it a keyword");
    case FilterKind::kMatch:
      if (type == FieldType::kText) return CheckWords(context);
      if (type == FieldType::kKeyword) {
        return BadAt(column, FieldText(*context.field) +
                                 " is not searched for words; use contains or prefix, or make it "
                                 "a text");
      }
      break;
    case FilterKind::kPrefix:
    case FilterKind::kContains:
      if (type == FieldType::kText || type == FieldType::kKeyword) return OkStatus();
      break;
    default:
      return OkStatus();
  }
  return BadAt(column, FieldText(*context.field) + " is not text; use =, in, <, >, between or " +
                           "exists with " + std::string(Example(type)));
}

Result<Filter> BindNode(const Schema& schema, const Filter& filter) {
  if (filter.kind == FilterKind::kHasId) return filter;
  if (filter.kind <= FilterKind::kNot) {
    Filter bound;
    bound.kind = filter.kind;
    bound.children.reserve(filter.children.size());
    for (const Filter& child : filter.children) {
      ASSIGN_OR_RETURN(Filter bound_child, BindNode(schema, child));
      bound.children.push_back(std::move(bound_child));
    }
    return bound;
  }
  const FieldSpec* field = schema.Find(filter.field);
  if (field == nullptr) {
    return BadAt(filter.column, "the collection has no payload field " + Quoted(filter.field) +
                                    NameHint(filter.field, schema.Names()));
  }
  const Context context{field, &filter};
  RETURN_IF_ERROR(CheckOperator(context));
  if (filter.kind == FilterKind::kIn) return BindIn(context);
  if (filter.kind == FilterKind::kRange) return BindRange(context);
  return filter;
}

size_t CountNodes(const Filter& filter) {
  size_t nodes = 1;
  for (const Filter& child : filter.children) nodes += CountNodes(child);
  return nodes;
}

}  // namespace

Result<Filter> BindFilter(const Schema& schema, const Filter& filter) {
  ASSIGN_OR_RETURN(Filter bound, BindNode(schema, filter));
  const size_t nodes_max = FilterLimits().nodes_max;
  if (CountNodes(bound) <= nodes_max) return bound;
  return InvalidArgument(Reason::kLimitExceeded,
                         "the filter has more than " + std::to_string(nodes_max) +
                             " conditions, where days that do not follow each other count one "
                             "each; give ranges of time, or split the request");
}

}  // namespace ragstone::index

#include <utility>

#include "index/filter/filter_parser.h"
#include "services/handlers/records_convert.h"
#include "services/handlers/records_input.h"

namespace ragstone::services {

namespace {

using records_input::Item;

// protobuf parses 100 levels of messages; the limits of filters are checked when the tree is built.
constexpr int kLevelsMax = 100;

Status Bad(const std::string& place, const std::string& what) {
  return InvalidArgument(Reason::kFilterInvalid, place + " " + what);
}

// Errors of filters have a reason of their own; limits keep theirs.
Status AsFilterError(const Status& status, const std::string& place) {
  const Reason reason =
      status.reason() == Reason::kInvalidArgument ? Reason::kFilterInvalid : status.reason();
  return Status(status.code(), reason, place + ": " + status.message());
}

Result<index::Scalar> FromScalar(const v1::PayloadValue& message, const std::string& place) {
  auto value = FromMessage(message, place);
  if (!value.ok()) return AsFilterError(value.status(), "filter");
  index::Scalar scalar;
  bool single = false;
  std::visit(
      [&scalar, &single](auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (!std::is_same_v<T, std::monostate> && !std::is_same_v<T, index::ScalarList>) {
          scalar = std::move(held);
          single = true;
        }
      },
      *value);
  if (single) return scalar;
  return Bad(place, "is null or a list; a filter compares with single values");
}

Result<index::Filter> FromCondition(const v1::Condition& message, const std::string& place,
                                    int level);

Result<std::vector<index::Filter>> FromList(const v1::ConditionList& message,
                                            const std::string& place, int level) {
  std::vector<index::Filter> filters;
  for (int i = 0; i < message.conditions_size(); ++i) {
    ASSIGN_OR_RETURN(index::Filter filter,
                     FromCondition(message.conditions(i), Item(place, i), level));
    filters.push_back(std::move(filter));
  }
  return filters;
}

Result<index::Filter> FromOneOf(const v1::OneOfCondition& message, const std::string& place) {
  std::vector<index::Scalar> values;
  values.reserve(static_cast<size_t>(message.values_size()));
  for (int i = 0; i < message.values_size(); ++i) {
    ASSIGN_OR_RETURN(index::Scalar value,
                     FromScalar(message.values(i), Item(place + ".values", i)));
    values.push_back(std::move(value));
  }
  return index::In(message.field(), std::move(values));
}

Result<index::Filter> FromRange(const v1::RangeCondition& message, const std::string& place) {
  std::optional<index::Bound> lower, upper;
  if (message.has_lower()) {
    ASSIGN_OR_RETURN(index::Scalar value, FromScalar(message.lower(), place + ".lower"));
    lower = index::Bound{std::move(value), !message.lower_excluded()};
  }
  if (message.has_upper()) {
    ASSIGN_OR_RETURN(index::Scalar value, FromScalar(message.upper(), place + ".upper"));
    upper = index::Bound{std::move(value), !message.upper_excluded()};
  }
  return index::Range(message.field(), std::move(lower), std::move(upper));
}

Result<index::Filter> FromIds(const v1::RecordIds& message, const std::string& place) {
  auto ids = CheckIds(message.ids(), place);
  if (!ids.ok()) return AsFilterError(ids.status(), "filter");
  std::vector<index::PointId> points;
  points.reserve(ids->size());
  for (std::string& id : *ids) points.emplace_back(std::move(id));
  return index::HasId(std::move(points));
}

Result<index::Filter> FromCondition(const v1::Condition& message, const std::string& place,
                                    int level) {
  if (level > kLevelsMax) {
    return InvalidArgument(Reason::kLimitExceeded, "filter: more than 32 levels of nesting");
  }
  switch (message.kind_case()) {
    case v1::Condition::kAll: {
      ASSIGN_OR_RETURN(auto list, FromList(message.all(), place + ".all", level + 1));
      return index::And(std::move(list));
    }
    case v1::Condition::kAny: {
      ASSIGN_OR_RETURN(auto list, FromList(message.any(), place + ".any", level + 1));
      return index::Or(std::move(list));
    }
    case v1::Condition::kNegate: {
      ASSIGN_OR_RETURN(index::Filter child,
                       FromCondition(message.negate(), place + ".negate", level + 1));
      return index::Not(std::move(child));
    }
    case v1::Condition::kOneOf:
      return FromOneOf(message.one_of(), place + ".one_of");
    case v1::Condition::kRange:
      return FromRange(message.range(), place + ".range");
    case v1::Condition::kExists:
      return index::Exists(message.exists());
    case v1::Condition::kPrefix:
      return index::Prefix(message.prefix().field(), message.prefix().text());
    case v1::Condition::kContains:
      return index::Contains(message.contains().field(), message.contains().text());
    case v1::Condition::kMatch:
      return index::Match(message.match().field(), message.match().text());
    case v1::Condition::kIds:
      return FromIds(message.ids(), place + ".ids");
    case v1::Condition::KIND_NOT_SET:
      break;
  }
  return Bad(place, "has no condition");
}

}  // namespace

Result<index::Filter> FromMessage(const v1::Filter& message, const std::string& place) {
  if (!message.has_condition()) {
    auto filter = index::ParseFilter(message.expression());
    if (!filter.ok()) return AsFilterError(filter.status(), place);
    return filter;
  }
  if (!message.expression().empty()) {
    return Bad(place, "has an expression and a condition; give one of the two");
  }
  ASSIGN_OR_RETURN(index::Filter filter,
                   FromCondition(message.condition(), place + ".condition", 1));
  const Status shape = index::CheckShape(filter, {});
  if (!shape.ok()) return AsFilterError(shape, place);
  return filter;
}

}  // namespace ragstone::services

#include "index/filter/filter.h"

#include <cmath>

#include "index/filter/names.h"

namespace ragstone::index {
namespace {

Filter OfField(FilterKind kind, std::string field) {
  Filter filter;
  filter.kind = kind;
  filter.field = std::move(field);
  return filter;
}

Filter OfText(FilterKind kind, std::string field, std::string text) {
  Filter filter = OfField(kind, std::move(field));
  filter.text = std::move(text);
  return filter;
}

Filter OfChildren(FilterKind kind, std::vector<Filter> children) {
  Filter filter;
  filter.kind = kind;
  filter.children = std::move(children);
  return filter;
}

Status Bad(std::string message) {
  return InvalidArgument(Reason::kInvalidArgument, std::move(message));
}

Status OverLimit(std::string_view what, size_t limit) {
  return InvalidArgument(Reason::kLimitExceeded, "the filter has more than " +
                                                     std::to_string(limit) + " " +
                                                     std::string(what) + "; split the request");
}

Status CheckValue(const Scalar& value) {
  if (const auto* number = std::get_if<double>(&value)) {
    if (!std::isfinite(*number)) return Bad("a filter compares with a number that is not finite");
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && !IsUtf8(*text)) {
    return Bad("a filter compares with a text that is not valid UTF-8");
  }
  return OkStatus();
}

// What the node's own kind needs; children apart.
Status CheckNode(const Filter& node) {
  const bool of_field = node.kind >= FilterKind::kIn && node.kind <= FilterKind::kMatch;
  if (of_field && node.field.empty()) return Bad("a filter condition names no field");
  for (const Scalar& value : node.values) RETURN_IF_ERROR(CheckValue(value));
  for (const auto* bound : {&node.lower, &node.upper}) {
    if (bound->has_value()) RETURN_IF_ERROR(CheckValue((*bound)->value));
  }
  switch (node.kind) {
    case FilterKind::kNot:
      if (node.children.size() == 1) break;
      return Bad("a \"not\" filter has one child, got " + std::to_string(node.children.size()));
    case FilterKind::kIn:
      if (!node.values.empty()) break;
      return Bad("the list of values for field " + Quoted(node.field) +
                 " is empty; give at least one value");
    case FilterKind::kRange:
      if (node.lower.has_value() || node.upper.has_value()) break;
      return Bad("the range of field " + Quoted(node.field) +
                 " has no bound; give one, or use exists");
    case FilterKind::kPrefix:
    case FilterKind::kContains:
    case FilterKind::kMatch:
      if (!IsUtf8(node.text)) return Bad("a filter searches for text that is not valid UTF-8");
      if (!node.text.empty()) break;
      return Bad("field " + Quoted(node.field) +
                 " is searched for an empty text; give at least one character, or use exists");
    default:
      break;
  }
  return OkStatus();
}

struct Totals {
  size_t nodes = 0;
  size_t values = 0;
};

Status CheckTree(const Filter& node, const FilterLimits& limits, size_t depth, Totals* totals) {
  if (depth > limits.depth_max) return OverLimit("levels of nesting", limits.depth_max);
  if (++totals->nodes > limits.nodes_max) return OverLimit("conditions", limits.nodes_max);
  totals->values += node.values.size() + node.ids.size();
  if (totals->values > limits.values_max) return OverLimit("values", limits.values_max);
  RETURN_IF_ERROR(CheckNode(node));
  for (const Filter& child : node.children) {
    RETURN_IF_ERROR(CheckTree(child, limits, depth + 1, totals));
  }
  return OkStatus();
}

}  // namespace

bool Filter::operator==(const Filter& other) const {
  return kind == other.kind && children == other.children && field == other.field &&
         values == other.values && lower == other.lower && upper == other.upper &&
         text == other.text && ids == other.ids;
}

Filter And(std::vector<Filter> children) {
  if (children.size() == 1) return std::move(children[0]);
  return OfChildren(FilterKind::kAnd, std::move(children));
}
Filter Or(std::vector<Filter> children) {
  if (children.size() == 1) return std::move(children[0]);
  return OfChildren(FilterKind::kOr, std::move(children));
}
Filter Not(Filter child) {
  std::vector<Filter> children;
  children.push_back(std::move(child));
  return OfChildren(FilterKind::kNot, std::move(children));
}
Filter In(std::string field, std::vector<Scalar> values) {
  Filter filter = OfField(FilterKind::kIn, std::move(field));
  filter.values = std::move(values);
  return filter;
}
Filter Equals(std::string field, Scalar value) {
  std::vector<Scalar> values;
  values.push_back(std::move(value));
  return In(std::move(field), std::move(values));
}
Filter Range(std::string field, std::optional<Bound> lower, std::optional<Bound> upper) {
  Filter filter = OfField(FilterKind::kRange, std::move(field));
  filter.lower = std::move(lower);
  filter.upper = std::move(upper);
  return filter;
}
Filter Exists(std::string field) { return OfField(FilterKind::kExists, std::move(field)); }
Filter Prefix(std::string field, std::string text) {
  return OfText(FilterKind::kPrefix, std::move(field), std::move(text));
}
Filter Contains(std::string field, std::string text) {
  return OfText(FilterKind::kContains, std::move(field), std::move(text));
}
Filter Match(std::string field, std::string text) {
  return OfText(FilterKind::kMatch, std::move(field), std::move(text));
}
Filter HasId(std::vector<PointId> ids) {
  Filter filter;
  filter.kind = FilterKind::kHasId;
  filter.ids = std::move(ids);
  return filter;
}

Status CheckShape(const Filter& filter, const FilterLimits& limits) {
  Totals totals;
  return CheckTree(filter, limits, 1, &totals);
}

}  // namespace ragstone::index

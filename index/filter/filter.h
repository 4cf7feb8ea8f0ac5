#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "index/filter/payload.h"

namespace ragstone::index {

// The id by which callers know a record.
using PointId = std::variant<uint64_t, std::string>;

// One end of a range.
struct Bound {
  Scalar value;
  bool inclusive = true;
  bool operator==(const Bound&) const = default;
};

enum class FilterKind : uint8_t {
  kAnd,       // every child matches; without children: every record
  kOr,        // some child matches; without children: no record
  kNot,       // the one child does not match
  kIn,        // the field equals one of `values`
  kRange,     // the field lies between `lower` and `upper`
  kExists,    // the field has a value
  kPrefix,    // the field begins with `text`, byte for byte
  kContains,  // the field holds `text`, byte for byte
  kMatch,     // the field holds every word of `text`, folded and stemmed as keyword search does
  kHasId,     // the record's id is one of `ids`
};

// A condition on the payload and id of a record.
//
// A field *has a value* if the record holds it, it is not null and, for a list, it is not empty. A
// comparison of a field without a value is false, and Not turns false into true: there is no third
// truth value. So `lang != "en"`, which is Not(In), matches records that have no lang at all, and
// "is null" is Not(Exists). A list matches a comparison if any of its elements does.
struct Filter {
  FilterKind kind = FilterKind::kAnd;
  std::vector<Filter> children;
  std::string field;
  std::vector<Scalar> values;
  std::optional<Bound> lower;
  std::optional<Bound> upper;
  std::string text;
  std::vector<PointId> ids;

  // Where the field and the values stand in the text that was parsed, as 1-based columns, for
  // messages; 0 and empty if the filter was not parsed. A field that stands alone, such as `draft`,
  // has a column and no value_columns. Not part of equality.
  uint32_t column = 0;
  std::vector<uint32_t> value_columns;

  bool operator==(const Filter& other) const;
};

// Filters in code. And and Or of one filter are that filter.
Filter And(std::vector<Filter> children);
Filter Or(std::vector<Filter> children);
Filter Not(Filter child);
Filter Equals(std::string field, Scalar value);
Filter In(std::string field, std::vector<Scalar> values);
Filter Range(std::string field, std::optional<Bound> lower, std::optional<Bound> upper);
Filter Exists(std::string field);
Filter Prefix(std::string field, std::string text);
Filter Contains(std::string field, std::string text);
Filter Match(std::string field, std::string text);
Filter HasId(std::vector<PointId> ids);

// What one filter may cost.
struct FilterLimits {
  size_t text_bytes_max = 1 << 20;  // of the language
  size_t depth_max = 32;            // of and, or, not and parentheses
  size_t nodes_max = 1024;
  size_t values_max = 65'536;  // of all lists together
};

// INVALID_ARGUMENT (LIMIT_EXCEEDED) if the filter is over a limit, INVALID_ARGUMENT if a node lacks
// what its kind needs: for filters that did not come from the parser.
Status CheckShape(const Filter& filter, const FilterLimits& limits);

// Checks a filter against a schema and returns it with the values in the types of the fields, which
// is the form that indexes and PayloadMatcher take: texts compared with a datetime field become
// datetimes, a date alone becomes the range of its day, numbers become the field's kind of number.
// INVALID_ARGUMENT says what does not fit, at which column, and the nearest name of an unknown
// field; LIMIT_EXCEEDED is the reason if the bound filter has more than FilterLimits().nodes_max
// conditions.
Result<Filter> BindFilter(const Schema& schema, const Filter& filter);

}  // namespace ragstone::index

#include "index/internal/fields/segment_filter.h"

#include <algorithm>
#include <cmath>

namespace ragstone::index::fields {
namespace {

// The column of a field, or null if the segment does not know the field as it is now.
const Column* FindColumn(const FieldSegment& segment, const Schema& schema,
                         const std::string& name) {
  const Column* column = segment.Find(name);
  if (column == nullptr) return nullptr;
  const FieldSpec* field = schema.Find(name);
  return field != nullptr && field->type == column->type() ? column : nullptr;
}

class Selector {
 public:
  Selector(const SegmentRef& ref, const Roaring& universe, const FilterContext& context)
      : segment_(*ref.segment), dead_(ref.dead.get()), universe_(universe), context_(context) {}

  // Both sets lie within the universe.
  Selection Select(const Filter& filter) const {
    switch (filter.kind) {
      case FilterKind::kAnd:
        return SelectAnd(filter);
      case FilterKind::kOr:
        return SelectOr(filter);
      case FilterKind::kNot: {
        if (filter.children.empty()) return {};
        Selection child = Select(filter.children[0]);
        Roaring rest = universe_ - child.sure;
        rest -= child.unsure;
        return {std::move(rest), std::move(child.unsure)};
      }
      case FilterKind::kHasId:
        return {SelectIds(filter), {}};
      default:
        return SelectField(filter);
    }
  }

 private:
  Selection SelectAnd(const Filter& filter) const {
    if (filter.children.empty()) return {universe_, {}};
    // Conditions come first, then negations, which are only taken away from what is left.
    std::vector<const Filter*> children;
    for (const Filter& child : filter.children) children.push_back(&child);
    std::stable_partition(children.begin(), children.end(), [](const Filter* child) {
      return child->kind != FilterKind::kNot || child->children.empty();
    });
    Selection out;
    for (size_t i = 0; i < children.size(); ++i) {
      const Filter& child = *children[i];
      if (i > 0 && out.sure.isEmpty() && out.unsure.isEmpty()) return out;
      if (i == 0) {
        out = Select(child);
      } else if (child.kind == FilterKind::kNot && !child.children.empty()) {
        TakeAway(Select(child.children[0]), &out);
      } else {
        Restrict(Select(child), &out);
      }
    }
    return out;
  }

  // out and not (child)
  static void TakeAway(const Selection& child, Selection* out) {
    out->unsure -= child.sure;
    if (!child.unsure.isEmpty()) out->unsure |= out->sure & child.unsure;
    out->sure -= child.sure;
    out->sure -= child.unsure;
  }

  // out and child
  static void Restrict(const Selection& child, Selection* out) {
    if (out->unsure.isEmpty() && child.unsure.isEmpty()) {
      out->sure &= child.sure;
      return;
    }
    Roaring possible = out->sure | out->unsure;
    possible &= child.sure | child.unsure;
    out->sure &= child.sure;
    possible -= out->sure;
    out->unsure = std::move(possible);
  }

  Selection SelectOr(const Filter& filter) const {
    Selection out;
    for (const Filter& child : filter.children) {
      Selection selected = Select(child);
      out.sure |= selected.sure;
      out.unsure |= selected.unsure;
    }
    out.unsure -= out.sure;
    return out;
  }

  Roaring SelectIds(const Filter& filter) const {
    const auto rows = context_.ids.find(&filter);
    if (rows == context_.ids.end()) return {};
    Roaring out;
    const RowId first = RowId{segment_.high()} << 32;
    const auto begin = std::lower_bound(rows->second.begin(), rows->second.end(), first);
    for (auto row = begin; row != rows->second.end() && HighOf(*row) == segment_.high(); ++row) {
      out.add(LowOf(*row));
    }
    out &= universe_;
    return out;
  }

  Selection SelectField(const Filter& filter) const {
    const Column* column = FindColumn(segment_, context_.schema, filter.field);
    if (column == nullptr) return {{}, universe_};
    const bool by_text = filter.kind == FilterKind::kPrefix ||
                         filter.kind == FilterKind::kContains || filter.kind == FilterKind::kMatch;
    // Keyword search, not this index, knows what texts hold; texts that are not there hold nothing.
    if (column->type() == FieldType::kText && by_text) return {{}, Live(column->exists())};
    return {Live(SelectValues(*column, filter)), {}};
  }

  static Roaring SelectValues(const Column& column, const Filter& filter) {
    const Postings& postings = column.postings();
    std::pair<uint32_t, uint32_t> range;
    switch (filter.kind) {
      case FilterKind::kExists:
        return column.exists();
      case FilterKind::kIn:
        return postings.UnionOf(column.FindValues(filter.values));
      case FilterKind::kContains:
        return postings.UnionOf(column.FindContaining(filter.text));
      case FilterKind::kRange:
        range = column.FindRange(filter);
        return postings.Union(range.first, range.second);
      case FilterKind::kPrefix:
        range = column.FindPrefix(filter.text);
        return postings.Union(range.first, range.second);
      default:
        return {};
    }
  }

  Roaring Live(Roaring rows) const {
    if (dead_ != nullptr) rows -= *dead_;
    return rows;
  }

  const FieldSegment& segment_;
  const Roaring* dead_;
  const Roaring& universe_;
  const FilterContext& context_;
};

// Counts bounds instead of rows; dead rows are counted by the lists.
class Estimator {
 public:
  Estimator(const SegmentRef& ref, const FilterContext& context)
      : segment_(*ref.segment),
        live_(ref.live),
        dead_(ref.segment->row_count() - ref.live),
        context_(context) {}

  FieldEstimate Estimate(const Filter& filter) const {
    switch (filter.kind) {
      case FilterKind::kAnd:
        return EstimateAnd(filter);
      case FilterKind::kOr:
        return EstimateOr(filter);
      case FilterKind::kNot: {
        if (filter.children.empty()) return {};
        const FieldEstimate child = Estimate(filter.children[0]);
        return {live_ - child.upper, live_ - child.lower,
                static_cast<double>(live_) - child.expected};
      }
      case FilterKind::kHasId:
        return EstimateIds(filter);
      default:
        return EstimateField(filter);
    }
  }

 private:
  // Reading a dictionary of more values than this is no estimate any more.
  static constexpr uint32_t kDictionaryReadMax = 4096;
  // What is assumed of a condition that nothing is known of: a tenth of the rows.
  static constexpr double kUnknownShare = 0.1;

  FieldEstimate EstimateAnd(const Filter& filter) const {
    FieldEstimate out = {live_, live_, static_cast<double>(live_)};
    for (const Filter& child : filter.children) {
      const FieldEstimate part = Estimate(child);
      const uint64_t missing = live_ - part.lower;
      out.lower = out.lower > missing ? out.lower - missing : 0;
      out.upper = std::min(out.upper, part.upper);
      out.expected = live_ == 0 ? 0 : out.expected * part.expected / static_cast<double>(live_);
    }
    return Clamped(out);
  }

  FieldEstimate EstimateOr(const Filter& filter) const {
    FieldEstimate out;
    double none = 1;  // the share of rows that no child matches
    for (const Filter& child : filter.children) {
      const FieldEstimate part = Estimate(child);
      out.lower = std::max(out.lower, part.lower);
      out.upper = std::min(live_, out.upper + part.upper);
      if (live_ > 0) none *= 1 - part.expected / static_cast<double>(live_);
    }
    out.expected = (1 - none) * static_cast<double>(live_);
    return Clamped(out);
  }

  FieldEstimate EstimateIds(const Filter& filter) const {
    const auto rows = context_.ids.find(&filter);
    if (rows == context_.ids.end()) return {};
    const auto count = static_cast<uint64_t>(
        std::count_if(rows->second.begin(), rows->second.end(), [this](RowId row) {
          return HighOf(row) == segment_.high() && segment_.rows().contains(LowOf(row));
        }));
    return OfRows(count, count);
  }

  FieldEstimate EstimateField(const Filter& filter) const {
    const Column* column = FindColumn(segment_, context_.schema, filter.field);
    if (column == nullptr) return Unknown(live_);
    const uint64_t exists = column->exists().cardinality();
    std::pair<uint32_t, uint32_t> range;
    switch (filter.kind) {
      case FilterKind::kExists:
        return OfRows(exists, exists);
      case FilterKind::kIn:
        return OfValues(*column, column->FindValues(filter.values));
      case FilterKind::kRange:
        range = column->FindRange(filter);
        return OfRange(*column, range.first, range.second);
      case FilterKind::kPrefix:
        if (column->type() == FieldType::kText) break;
        range = column->FindPrefix(filter.text);
        return OfRange(*column, range.first, range.second);
      case FilterKind::kContains:
        if (column->type() == FieldType::kText || column->values() > kDictionaryReadMax) break;
        return OfValues(*column, column->FindContaining(filter.text));
      default:
        break;
    }
    return Unknown(std::min(live_, exists));
  }

  FieldEstimate OfValues(const Column& column, const std::vector<uint32_t>& values) const {
    uint64_t entries = 0;
    uint64_t longest = 0;
    for (const uint32_t value : values) {
      const uint64_t count = column.postings().Entries(value, value + 1);
      entries += count;
      longest = std::max(longest, count);
    }
    return OfEntries(column, column.postings().single() ? entries : longest, entries);
  }

  FieldEstimate OfRange(const Column& column, uint32_t first, uint32_t last) const {
    if (first >= last) return {};
    const Postings& postings = column.postings();
    const uint64_t entries = postings.Entries(first, last);
    if (postings.single()) return OfRows(entries, entries);
    uint64_t lower = postings.Entries(first, first + 1);
    // Every row that has a value but none in the range has all of its values outside.
    const uint64_t all = postings.Entries(0, column.values());
    const uint64_t exists = column.exists().cardinality();
    if (exists > all - entries) lower = std::max(lower, exists - (all - entries));
    return OfEntries(column, lower, entries);
  }

  // Of `entries` entries of a column: of lists, some stand in one row. How many is not known; each
  // of a row's elements is taken to be one of them with the same chance.
  FieldEstimate OfEntries(const Column& column, uint64_t lower, uint64_t entries) const {
    const auto exists = static_cast<double>(column.exists().cardinality());
    FieldEstimate out = OfRows(lower, std::min(entries, column.exists().cardinality()));
    if (column.postings().single() || exists == 0) return out;
    const auto all = static_cast<double>(column.postings().Entries(0, column.values()));
    const double share = 1 - std::pow(1 - static_cast<double>(entries) / all, all / exists);
    const double live_share = static_cast<double>(live_) / static_cast<double>(live_ + dead_);
    out.expected = share * exists * live_share;
    return Clamped(out);
  }

  // From counts that include dead rows.
  FieldEstimate OfRows(uint64_t lower, uint64_t upper) const {
    FieldEstimate out;
    out.lower = lower > dead_ ? lower - dead_ : 0;
    out.upper = std::min(upper, live_);
    const auto rows = static_cast<double>(live_ + dead_);
    const double middle = (static_cast<double>(lower) + static_cast<double>(upper)) / 2;
    out.expected = rows == 0 ? 0 : middle * static_cast<double>(live_) / rows;
    return Clamped(out);
  }

  FieldEstimate Unknown(uint64_t upper) const {
    return {0, upper, kUnknownShare * static_cast<double>(upper)};
  }

  FieldEstimate Clamped(FieldEstimate estimate) const {
    estimate.upper = std::min(estimate.upper, live_);
    estimate.lower = std::min(estimate.lower, estimate.upper);
    estimate.expected = std::clamp(estimate.expected, static_cast<double>(estimate.lower),
                                   static_cast<double>(estimate.upper));
    return estimate;
  }

  const FieldSegment& segment_;
  const uint64_t live_;
  const uint64_t dead_;
  const FilterContext& context_;
};

}  // namespace

Selection SelectRows(const Filter& filter, const SegmentRef& ref, const Roaring& universe,
                     const FilterContext& context) {
  return Selector(ref, universe, context).Select(filter);
}

FieldEstimate EstimateRows(const Filter& filter, const SegmentRef& ref,
                           const FilterContext& context) {
  return Estimator(ref, context).Estimate(filter);
}

}  // namespace ragstone::index::fields

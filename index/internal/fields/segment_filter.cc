#include "index/internal/fields/segment_filter.h"

#include <algorithm>

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
  Result<Selection> Run(const Filter& filter) {
    Selection selected = Select(filter);
    RETURN_IF_ERROR(status_);
    return selected;
  }

 private:
  // Empty, and of no use, once status_ is not OK.
  Selection Select(const Filter& filter) {
    if (status_.ok()) status_ = context_.call.Check();
    if (!status_.ok()) return {};
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

  Selection SelectAnd(const Filter& filter) {
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

  Selection SelectOr(const Filter& filter) {
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
    if (column->type() == FieldType::kText && by_text) return SelectText(*column, filter);
    return {Live(SelectValues(*column, filter)), {}};
  }

  Selection SelectText(const Column& column, const Filter& filter) const {
    Roaring rows = Live(column.exists());
    const auto known = context_.texts.find(&filter);
    if (known == context_.texts.end()) return {{}, std::move(rows)};
    const auto part = known->second.rows.parts().find(segment_.high());
    if (part == known->second.rows.parts().end()) return {};
    rows &= part->second;
    if (known->second.exact) return {std::move(rows), {}};
    return {{}, std::move(rows)};
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
  Status status_;
};

}  // namespace

Result<Selection> SelectRows(const Filter& filter, const SegmentRef& ref, const Roaring& universe,
                             const FilterContext& context) {
  return Selector(ref, universe, context).Run(filter);
}

}  // namespace ragstone::index::fields

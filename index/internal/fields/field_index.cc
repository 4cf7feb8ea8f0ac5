#include "index/internal/fields/field_index.h"

#include <algorithm>
#include <bit>
#include <map>

namespace ragstone::index::fields {
namespace {

// Segments become one in groups of so many of one tier: sizes within a factor of eight.
constexpr size_t kMergeSegments = 8;
// What a write merges by itself; more would make it wait.
constexpr uint64_t kSmallMergeRowsMax = 16'384;
constexpr uint64_t kSegmentRowsMax = 4'194'304;
// One segment of a large write: lists of 4096 elements each stay below 2^32 entries.
constexpr size_t kBuildRowsMax = 262'144;
// A segment with at least so many removed rows, and a quarter of all, is made anew.
constexpr uint64_t kDeadRowsMin = 64;

size_t TierOf(const SegmentRef& ref) { return static_cast<size_t>(std::bit_width(ref.live)) / 3; }

bool ManyDead(const SegmentRef& ref) {
  const uint64_t dead = ref.segment->row_count() - ref.live;
  return dead >= kDeadRowsMin && dead * 4 >= ref.segment->row_count();
}

uint64_t EntriesOf(const std::vector<SegmentRef>& segments) {
  uint64_t entries = 0;
  for (const SegmentRef& ref : segments) entries += ref.segment->EntriesMax();
  return entries;
}

using BusySegments = std::set<const FieldSegment*>;

// Which segments may become one.
struct MergeRule {
  uint64_t live_max = 0;     // of each
  uint64_t entries_max = 0;  // of all together
};

// The oldest eight of a tier, of segments that the rule allows and that are not busy; empty if no
// tier has eight.
std::vector<SegmentRef> FullTier(const std::vector<SegmentRef>& segments, const BusySegments& busy,
                                 const MergeRule& rule) {
  std::map<std::pair<uint32_t, size_t>, std::vector<SegmentRef>> tiers;
  for (const SegmentRef& ref : segments) {
    if (ref.live > rule.live_max || busy.contains(ref.segment.get())) continue;
    std::vector<SegmentRef>& tier = tiers[{ref.segment->high(), TierOf(ref)}];
    tier.push_back(ref);
    if (tier.size() < kMergeSegments) continue;
    if (EntriesOf(tier) <= rule.entries_max) return tier;
    // The oldest stays as it is: long lists make it as large as a segment may be.
    tier.erase(tier.begin());
  }
  return {};
}

void DropEmpty(const BusySegments& busy, std::vector<SegmentRef>* segments) {
  std::erase_if(*segments, [&busy](const SegmentRef& ref) {
    return ref.live == 0 && !busy.contains(ref.segment.get());
  });
}

// What MergeOnce is to merge; empty if nothing is due.
std::vector<SegmentRef> ChooseMerge(const std::vector<SegmentRef>& segments,
                                    const BusySegments& busy, uint64_t entries_max) {
  for (const SegmentRef& ref : segments) {
    if (ManyDead(ref) && !busy.contains(ref.segment.get())) return {ref};
  }
  return FullTier(segments, busy, {kSegmentRowsMax / kMergeSegments, entries_max});
}

// Puts `merged` where the first of `inputs` stands and takes the others out. False, and nothing
// changes, if one of them is not there any more.
bool Replace(const std::vector<SegmentRef>& inputs, SegmentRef merged,
             std::vector<SegmentRef>* segments) {
  std::vector<SegmentRef> out;
  size_t found = 0;
  for (const SegmentRef& ref : *segments) {
    const bool input = std::any_of(inputs.begin(), inputs.end(), [&ref](const SegmentRef& other) {
      return other.segment == ref.segment;
    });
    if (!input) out.push_back(ref);
    if (input && ++found == 1 && merged.live > 0) out.push_back(merged);
  }
  if (found != inputs.size()) return false;
  *segments = std::move(out);
  return true;
}

SegmentRef WholeSegment(std::shared_ptr<const FieldSegment> segment) {
  const uint64_t rows = segment->row_count();
  return {std::move(segment), nullptr, rows};
}

// Rows of `segments` that were removed since `inputs` was taken from it.
Roaring RemovedSince(const std::vector<SegmentRef>& inputs,
                     const std::vector<SegmentRef>& segments) {
  Roaring removed;
  for (const SegmentRef& input : inputs) {
    const auto now =
        std::find_if(segments.begin(), segments.end(),
                     [&input](const SegmentRef& ref) { return ref.segment == input.segment; });
    if (now == segments.end() || now->dead == nullptr) continue;
    removed |= input.dead != nullptr ? *now->dead - *input.dead : *now->dead;
  }
  return removed;
}

}  // namespace

FieldIndex::FieldIndex(std::shared_ptr<const Schema> schema, std::vector<SegmentRef> segments,
                       const MergeLimits& limits)
    : schema_(schema),
      limits_(limits),
      state_(std::make_shared<const FieldSnapshot>(std::move(schema), std::move(segments))) {}

FieldIndex::FieldIndex(Schema schema, const MergeLimits& limits)
    : FieldIndex(std::make_shared<const Schema>(std::move(schema)), {}, limits) {}

Result<std::unique_ptr<FieldIndex>> FieldIndex::Load(Schema schema, std::string_view bytes) {
  ASSIGN_OR_RETURN(std::vector<SegmentRef> segments, FieldSnapshot::Decode(bytes));
  for (const SegmentRef& ref : segments) {
    // Merging it with later ones would drop what only they know.
    if (ref.segment->HasColumnsOf(schema)) continue;
    return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                  "the stored field index has other fields than the collection; it is derived, "
                  "build it again");
  }
  auto shared = std::make_shared<const Schema>(std::move(schema));
  return std::unique_ptr<FieldIndex>(
      new FieldIndex(std::move(shared), std::move(segments), MergeLimits()));
}

std::shared_ptr<const FieldSnapshot> FieldIndex::Snapshot() const {
  const MutexLock lock(&state_mutex_);
  return state_;
}

void FieldIndex::Publish(std::vector<SegmentRef> segments) {
  auto state = std::make_shared<const FieldSnapshot>(schema_, std::move(segments));
  {
    const MutexLock lock(&state_mutex_);
    state_.swap(state);
  }
  // The old state, now in `state`, may be the last to hold large segments: it ends outside the
  // lock.
}

void FieldIndex::RemoveRows(const RowSet& rows, std::vector<SegmentRef>* segments) const {
  for (SegmentRef& ref : *segments) {
    const auto part = rows.parts().find(ref.segment->high());
    if (part == rows.parts().end() || !part->second.intersect(ref.segment->rows())) continue;
    Roaring dead = part->second & ref.segment->rows();
    if (ref.dead != nullptr) dead |= *ref.dead;
    ref.live = ref.segment->row_count() - dead.cardinality();
    ref.dead = std::make_shared<const Roaring>(std::move(dead));
  }
}

void FieldIndex::AppendRows(std::span<const FieldRow> rows,
                            std::vector<SegmentRef>* segments) const {
  std::vector<FieldRow> sorted(rows.begin(), rows.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const FieldRow& a, const FieldRow& b) { return a.row < b.row; });
  std::vector<FieldSegment::Row> group;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const bool last = i + 1 == sorted.size();
    // Of rows that are there twice the last one stands last.
    if (last || sorted[i + 1].row != sorted[i].row) {
      group.push_back({LowOf(sorted[i].row), sorted[i].payload});
    }
    const bool ends = last || HighOf(sorted[i + 1].row) != HighOf(sorted[i].row);
    if (group.empty() || (!ends && group.size() < kBuildRowsMax)) continue;
    segments->push_back(WholeSegment(FieldSegment::Build(*schema_, HighOf(sorted[i].row), group)));
    group.clear();
  }
}

void FieldIndex::MergeSmall(std::vector<SegmentRef>* segments) const {
  for (;;) {
    const std::vector<SegmentRef> group = FullTier(
        *segments, busy_, {kSmallMergeRowsMax / kMergeSegments, limits_.segment_entries_max});
    if (group.empty()) return;
    Replace(group, WholeSegment(FieldSegment::Merge(*schema_, group)), segments);
  }
}

void FieldIndex::Apply(std::span<const RowId> removed, std::span<const FieldRow> added) {
  RowSet gone;
  for (const RowId row : removed) gone.Add(row);
  for (const FieldRow& row : added) gone.Add(row.row);

  const MutexLock lock(&write_mutex_);
  std::vector<SegmentRef> segments = Snapshot()->segments();
  RemoveRows(gone, &segments);
  DropEmpty(busy_, &segments);
  AppendRows(added, &segments);
  MergeSmall(&segments);
  Publish(std::move(segments));
}

bool FieldIndex::MergeOnce() {
  std::vector<SegmentRef> inputs;
  {
    const MutexLock lock(&write_mutex_);
    inputs = ChooseMerge(Snapshot()->segments(), busy_, limits_.segment_entries_max);
    if (inputs.empty()) return false;
    for (const SegmentRef& ref : inputs) busy_.insert(ref.segment.get());
  }
  SegmentRef merged = WholeSegment(FieldSegment::Merge(*schema_, inputs));
  const MutexLock lock(&write_mutex_);
  for (const SegmentRef& ref : inputs) busy_.erase(ref.segment.get());
  std::vector<SegmentRef> segments = Snapshot()->segments();
  Roaring dead = RemovedSince(inputs, segments);
  dead &= merged.segment->rows();
  merged.live -= dead.cardinality();
  if (!dead.isEmpty()) merged.dead = std::make_shared<const Roaring>(std::move(dead));
  if (Replace(inputs, std::move(merged), &segments)) Publish(std::move(segments));
  return true;
}

}  // namespace ragstone::index::fields

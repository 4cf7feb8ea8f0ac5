// Searching a segment: which way, and each of them.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "index/internal/vectors/segment.h"

namespace ragstone::index::vectors {
namespace {

// Above this share of matches a walk over all rows finds enough of them on its way; below, one over
// matches alone is shorter.
constexpr double kTwoHopShareMax = 0.4;
// So many rows that pass must be at one or two links' distance: with fewer, walks over them end in
// places from which the best cannot be reached.
constexpr double kTwoHopPassingMin = 10;
// A walk over all rows shows where to begin one over matches.
constexpr size_t kSeedWidth = 32;
constexpr size_t kScanBlock = 64;
// Up to so many rows are scanned with their exact vectors at once.
constexpr size_t kExactScanMax = 4096;
constexpr size_t kBatchWalks = 8;
constexpr size_t kRangeFirst = 64;

// The walks of this thread, kept for their memory.
Walk* ThreadWalk(size_t i) {
  thread_local std::vector<std::unique_ptr<Walk>> walks;
  while (walks.size() <= i) walks.push_back(std::make_unique<Walk>());
  return walks[i].get();
}

bool AllowsSlot(const Restriction* restriction, const std::vector<RowId>& ids, Slot slot) {
  return restriction == nullptr || restriction->allowed(ids[slot], slot);
}

// Calls for the place in `all` of each wanted row that is there. Both ascend, so that each is
// looked for from the one before, in strides that double.
template <typename Visit>
void ForCommon(std::span<const RowId> wanted, const std::vector<RowId>& all, const Visit& visit) {
  size_t at = 0;
  for (const RowId row : wanted) {
    size_t stride = 1;
    for (; at + stride < all.size() && all[at + stride] < row; stride *= 2) at += stride;
    const auto begin = all.begin() + static_cast<ptrdiff_t>(at);
    const auto end = all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), at + stride + 1));
    at = static_cast<size_t>(std::lower_bound(begin, end, row) - all.begin());
    if (at == all.size()) return;
    if (all[at] == row) visit(at);
  }
}

// How many candidates are ranked by exact distances, so that the errors of codes hardly ever cost
// one of the best k.
size_t RescoreOf(CodeKind kind, const SearchOptions& options) {
  if (options.rescore > 0) return std::max(options.rescore, options.k);
  if (kind == CodeKind::kInt8) return 2 * options.k + 16;
  if (kind == CodeKind::kBits) return 10 * options.k + 100;
  return options.k;
}

// Of float vectors of which only signs are left: about the angle, as if of length one.
float EstimateFromBits(float differing, const VectorSpec& spec) {
  const double cosine =
      std::cos(std::numbers::pi * static_cast<double>(differing) / spec.dimensions);
  return static_cast<float>(spec.metric == Metric::kL2 ? 2 - 2 * cosine : -cosine);
}

}  // namespace

Segment::Plan Segment::PlanSearch(const SearchOptions& options,
                                  const Restriction* restriction) const {
  Plan plan;
  plan.rescore =
      RescoreOf(spec_.metric == Metric::kHamming ? CodeKind::kFloat32 : walk_.plan().kind, options);
  plan.ef = std::max(options.ef > 0 ? options.ef : EfOf(options.k), plan.rescore);
  // Of signs alone it is their errors that cost hits: the more that are ranked by their vectors,
  // the fewer.
  if (only_bits() && options.rescore == 0) plan.rescore = std::min(plan.ef, kEfMax);
  if (!graph_ || plan.ef > kEfMax || plan.ef * 8 > rows()) return plan;
  if (restriction == nullptr) {
    plan.way = Way::kWalk;
    return plan;
  }
  if (restriction->matches <= options.scan_matches_max) return plan;
  const double share = static_cast<double>(restriction->matches) / static_cast<double>(rows());
  if (share >= kTwoHopShareMax) {
    plan.way = Way::kWalk;
    plan.ef = std::min(kEfMax, static_cast<size_t>(static_cast<double>(plan.ef) / share));
  } else if (share * two_hop_links_ >= kTwoHopPassingMin) {
    plan.way = Way::kWalkTwoHops;
  }
  return plan;
}

size_t Segment::EfOf(size_t k) const {
  const size_t usual = ef(), wide = wide_ef();
  if (k <= kUsualHits || wide == 0) return usual;
  if (k > kWideHits) return std::min(kEfMax, wide * k / kWideHits);
  if (wide <= usual) return usual;
  return usual + (wide - usual) * (k - kUsualHits) / (kWideHits - kUsualHits);
}

void Segment::BeginWalk(const Plan& plan, VectorData query, const SlotPredicate* allowed,
                        Slot held_out, Walk* walk) const {
  walk->Begin(*graph_, walk_);
  walk->HoldOut(held_out);
  if (allowed != nullptr) {
    walk->Collect(*allowed, twins_, plan.way == Way::kWalk ? plan.rescore : plan.ef);
  }
  walk_.Prepare(query, walk->query());
  std::vector<Slot> seeds = {walk->Descend(0)};
  // The few slots that no link leads to are seeds of every walk.
  seeds.insert(seeds.end(), unreachable_.begin(), unreachable_.end());
  const bool restricted = plan.way == Way::kWalkTwoHops;
  walk->Start(0, restricted ? kSeedWidth : plan.ef, seeds);
}

bool Segment::WalkFreely(const Plan& plan, VectorData query, const SearchOptions& options,
                         std::vector<Slot>* slots) const {
  Walk* const walk = ThreadWalk(0);
  BeginWalk(plan, query, nullptr, options.held_out, walk);
  walk->Run();
  TakeFound(*walk, false, plan.rescore, slots);
  const size_t others = options.held_out == kNoSlot ? rows() : rows() - 1;
  return slots->size() >= std::min(options.k, others);
}

bool Segment::WalkRestricted(Plan plan, VectorData query, const SearchOptions& options,
                             const Restriction& restriction, std::vector<Slot>* slots) const {
  Walk* const walk = ThreadWalk(0);
  const auto passes = [&](Slot slot) { return restriction.allowed(row_ids_[slot], slot); };
  const SlotPredicate allowed(passes);
  // A little more than k, because at the rim of what was searched more is missed.
  const size_t wanted = std::min(plan.rescore, options.k + (options.k + 1) / 2);
  for (;;) {
    BeginWalk(plan, query, &allowed, options.held_out, walk);
    walk->Run();
    const bool two_hops = plan.way == Way::kWalkTwoHops;
    const bool enough = two_hops ? WalkTwoHops(plan, walk) : walk->FoundWithin() >= wanted;
    if (enough) break;
    if (two_hops || !Widen(walk->FoundWithin(), wanted, &plan)) return false;
  }
  TakeFound(*walk, true, plan.rescore, slots);
  return true;
}

bool Segment::WalkTwoHops(const Plan& plan, Walk* walk) const {
  // Where the filter and the vectors have to do with each other, the share around the query is not
  // that of the segment.
  if (walk->PassingShare() * two_hop_links_ < kTwoHopPassingMin) return false;
  walk->Restrict();
  walk->Run();
  return walk->found().size() >= plan.ef;
}

bool Segment::Widen(size_t within, size_t wanted, Plan* plan) const {
  // If the share of passing rows stays as it was; half as much again because it may not.
  const size_t ef = plan->ef * wanted * 3 / (2 * std::max<size_t>(within, 1));
  if (ef > kEfMax || ef * 8 > rows()) return false;
  plan->ef = std::max(ef, 2 * plan->ef);
  return true;
}

void Segment::TakeFound(const Walk& walk, bool restricted, size_t most,
                        std::vector<Slot>* slots) const {
  const Pool& found = walk.found();
  slots->clear();
  for (size_t i = 0; i < found.size() && slots->size() < most; ++i) {
    if (restricted) {
      slots->push_back(found[i].slot());  // twins are among what was found
      continue;
    }
    twins_.ForEqual(found[i].slot(), [&](Slot slot) {
      slots->push_back(slot);
      return slots->size() < most;
    });
  }
}

void Segment::ScanSlots(const Codes& codes, VectorData query, const Restriction* restriction,
                        TopSlots* top) const {
  CodedQuery coded;
  codes.Prepare(query, &coded);
  Slot block[kScanBlock];
  float distances[kScanBlock];
  size_t count = 0;
  const auto flush = [&] {
    codes.Distances(coded, block, count, distances);
    for (size_t i = 0; i < count; ++i) {
      if (top->Takes(distances[i])) top->Offer(distances[i], row_ids_[block[i]], block[i]);
    }
    count = 0;
  };
  const auto consider = [&](Slot slot) {
    if (!AllowsSlot(restriction, row_ids_, slot)) return;
    block[count++] = slot;
    if (count == kScanBlock) flush();
  };
  if (restriction != nullptr && !restriction->rows.empty() &&
      restriction->rows.size() < rows() / 4) {
    ForCommon(restriction->rows, sorted_ids_, [&](size_t place) {
      codes.Prefetch(sorted_slots_[place]);  // they lie anywhere
      consider(sorted_slots_[place]);
    });
  } else {
    for (Slot slot = 0; slot < rows(); ++slot) consider(slot);
  }
  flush();
}

void Segment::Scan(VectorData query, size_t most, const Restriction* restriction,
                   std::vector<Slot>* slots) const {
  const size_t matches = restriction != nullptr ? restriction->matches : rows();
  TopSlots top(most);
  ScanSlots(matches <= kExactScanMax ? best_codes() : walk_, query, restriction, &top);
  slots->clear();
  for (const Hit& hit : top.Sorted()) slots->push_back(hit.slot);
}

Status Segment::Distances(VectorData query, const std::vector<Slot>& slots,
                          const ExactReader* reader, std::vector<float>* distances) const {
  distances->resize(slots.size());
  if (has_exact() || reader == nullptr) {
    CodedQuery coded;
    const Codes& codes = best_codes();
    codes.Prepare(query, &coded);
    codes.Distances(coded, slots.data(), slots.size(), distances->data());
    if (codes.plan().kind == CodeKind::kBits && spec_.metric != Metric::kHamming) {
      for (float& distance : *distances) distance = EstimateFromBits(distance, spec_);
    }
    return OkStatus();
  }
  std::vector<RowId> rows;
  for (const Slot slot : slots) rows.push_back(row_ids_[slot]);
  ASSIGN_OR_RETURN(ExactDistances read, ExactDistances::Make(spec_, query, rows.size()));
  return read.Measure(*reader, rows, distances->data());
}

Status Segment::Rank(VectorData query, const std::vector<Slot>& slots, const SearchOptions& options,
                     std::vector<Hit>* hits) const {
  std::vector<float> distances;
  RETURN_IF_ERROR(Distances(query, slots, options.reader, &distances));
  hits->clear();
  for (size_t i = 0; i < slots.size(); ++i) {
    hits->push_back({row_ids_[slots[i]], slots[i], distances[i]});
  }
  KeepNearest(options.k, hits);
  return OkStatus();
}

Status Segment::Search(VectorData query, const SearchOptions& options,
                       const Restriction* restriction, std::vector<Hit>* hits) const {
  const Plan plan = PlanSearch(options, restriction);
  std::vector<Slot> slots;
  bool found = false;
  if (plan.way != Way::kScan) {
    found = restriction == nullptr ? WalkFreely(plan, query, options, &slots)
                                   : WalkRestricted(plan, query, options, *restriction, &slots);
  }
  if (!found) Scan(query, plan.rescore, restriction, &slots);
  return Rank(query, slots, options, hits);
}

Status Segment::SearchBatch(std::span<const VectorData> queries, const SearchOptions& options,
                            std::vector<std::vector<Hit>>* hits) const {
  hits->resize(queries.size());
  const Plan plan = PlanSearch(options, nullptr);
  if (plan.way == Way::kScan) {
    for (size_t i = 0; i < queries.size(); ++i) {
      RETURN_IF_ERROR(Search(queries[i], options, nullptr, &(*hits)[i]));
    }
    return OkStatus();
  }
  struct Running {
    Walk* walk;
    size_t query;
  };
  std::vector<Running> running;
  size_t next = 0;
  const auto begin = [&](Running* slot) {
    slot->query = next++;
    BeginWalk(plan, queries[slot->query], nullptr, options.held_out, slot->walk);
    slot->walk->Gather();
  };
  for (size_t i = 0; i < std::min(kBatchWalks, queries.size()); ++i) {
    running.push_back({ThreadWalk(i), 0});
    begin(&running.back());
  }
  std::vector<Slot> slots;
  while (!running.empty()) {
    for (size_t i = 0; i < running.size();) {
      running[i].walk->Score();
      if (running[i].walk->Gather()) {
        ++i;
        continue;
      }
      TakeFound(*running[i].walk, false, plan.rescore, &slots);
      const size_t query = running[i].query;
      if (slots.size() < std::min(options.k, rows())) {
        Scan(queries[query], plan.rescore, nullptr, &slots);
      }
      RETURN_IF_ERROR(Rank(queries[query], slots, options, &(*hits)[query]));
      if (next < queries.size()) {
        begin(&running[i]);
      } else {
        running[i] = running.back();
        running.pop_back();
      }
    }
  }
  return OkStatus();
}

Status Segment::SearchRange(VectorData query, float distance_max, const SearchOptions& options,
                            const Restriction* restriction, std::vector<Hit>* hits) const {
  const size_t most = std::min(options.k, rows());
  SearchOptions wider = options;
  for (wider.k = std::min(kRangeFirst, most);; wider.k = std::min(most, wider.k * 4)) {
    RETURN_IF_ERROR(Search(query, wider, restriction, hits));
    const bool ended = hits->size() < wider.k || wider.k == most ||
                       (!hits->empty() && hits->back().distance > distance_max);
    if (ended) break;
  }
  const auto beyond = std::find_if(hits->begin(), hits->end(),
                                   [&](const Hit& hit) { return hit.distance > distance_max; });
  hits->erase(beyond, hits->end());
  return OkStatus();
}

Status Segment::SearchExact(VectorData query, const SearchOptions& options,
                            const Restriction* restriction, std::vector<Hit>* hits) const {
  std::vector<Slot> slots;
  if (has_exact() || options.reader == nullptr) {
    TopSlots top(options.k);
    ScanSlots(best_codes(), query, restriction, &top);
    for (const Hit& hit : top.Sorted()) slots.push_back(hit.slot);
    return Rank(query, slots, options, hits);
  }
  ASSIGN_OR_RETURN(ExactDistances read, ExactDistances::Make(spec_, query, rows()));
  hits->clear();
  std::vector<Hit> block;
  for (Slot slot = 0; slot < rows();) {
    block.clear();
    for (; slot < rows() && block.size() < ExactDistances::kRowsAtOnce; ++slot) {
      if (AllowsSlot(restriction, row_ids_, slot)) block.push_back({row_ids_[slot], slot, 0});
    }
    RETURN_IF_ERROR(read.Measure(*options.reader, block));
    hits->insert(hits->end(), block.begin(), block.end());
    KeepNearest(options.k, hits);
  }
  return OkStatus();
}

}  // namespace ragstone::index::vectors

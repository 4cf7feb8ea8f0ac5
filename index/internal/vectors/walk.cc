#include "index/internal/vectors/walk.h"

namespace ragstone::index::vectors {
namespace {

// At most so many neighbours at two links' distance are looked at in one step, as multiples of the
// places of a slot.
constexpr size_t kTwoHopBatches = 2;

}  // namespace

void Walk::Begin(const Graph& graph, const Codes& codes) {
  graph_ = &graph;
  codes_ = &codes;
  allowed_ = nullptr;
  two_hops_ = false;
  results_on_ = false;
  held_out_ = kNoSlot;
  distances_ = 0;
  met_ = 0;
  passed_ = 0;
}

Slot Walk::Descend(int level) {
  Slot nearest = graph_->entry();
  float nearest_distance = 0;
  codes_->Distances(query_, &nearest, 1, &nearest_distance);
  for (int above = graph_->top_level(); above > level; --above) {
    for (bool closer = true; closer;) {
      closer = false;
      batch_.clear();
      const Slot* places = graph_->Places(nearest, above);
      for (uint32_t p = 0; p < graph_->places(above); ++p) {
        const Slot next = Graph::Read(places + p);
        if (next == kNoSlot) break;
        if (next != held_out_) Add(next);
      }
      batch_distances_.resize(batch_.size());
      codes_->Distances(query_, batch_.data(), batch_.size(), batch_distances_.data());
      distances_ += batch_.size();
      for (size_t i = 0; i < batch_.size(); ++i) {
        if (batch_distances_[i] >= nearest_distance) continue;
        nearest_distance = batch_distances_[i];
        nearest = batch_[i];
        closer = true;
      }
    }
  }
  return nearest;
}

void Walk::Start(int level, size_t width, const std::vector<Slot>& seeds) {
  level_ = level;
  visited_.Reset(graph_->rows());
  pool_.Reset(width);
  batch_.clear();
  if (held_out_ != kNoSlot) visited_.Add(held_out_);
  for (const Slot seed : seeds) {
    if (visited_.Add(seed)) Add(seed);
  }
  Score();
}

void Walk::Collect(const SlotPredicate& allowed, const Twins& twins, size_t capacity) {
  allowed_ = &allowed;
  twins_ = &twins;
  results_on_ = true;
  results_.Reset(capacity);
}

bool Walk::Passes(Slot slot) {
  if (!twins_->HasTwin(slot)) return (*allowed_)(slot);
  // There may be thousands of them, and each neighbour leads here again.
  if (rejected_.Contains(slot)) return false;
  bool passes = false;
  twins_->ForEqual(slot, [&](Slot equal) { return !(passes = (*allowed_)(equal)); });
  if (!passes) rejected_.Add(slot);
  return passes;
}

void Walk::OfferResult(float distance, Slot slot) {
  if (!(distance < results_.bar())) return;
  bool passes = false;
  twins_->ForEqual(slot, [&](Slot equal) {
    if (!(distance < results_.bar())) return false;
    if (!(*allowed_)(equal)) return true;
    passes = true;
    results_.Offer(distance, equal);
    return true;
  });
  ++met_;
  passed_ += passes;
}

size_t Walk::FoundWithin() const {
  if (!pool_.full() || pool_.size() == 0) return results_.size();
  const float radius = pool_[pool_.size() - 1].distance;
  size_t within = 0;
  while (within < results_.size() && results_[within].distance <= radius) ++within;
  return within;
}

void Walk::Restrict() {
  two_hops_ = true;
  // Every row found so far is gone on from again, now over two links.
  std::vector<Pool::Entry> seeds;
  for (size_t i = 0; i < results_.size(); ++i) {
    // Of twins the first one is in the graph.
    if (!twins_->IsTwin(results_[i].slot())) seeds.push_back(results_[i]);
  }
  for (size_t i = 0; i < pool_.size(); ++i) seeds.push_back(pool_[i]);
  pool_.Reset(std::max(pool_.capacity(), results_.capacity()));
  results_.Reset(results_.capacity());
  visited_.Reset(graph_->rows());
  rejected_.Reset(graph_->rows());
  if (held_out_ != kNoSlot) visited_.Add(held_out_);
  for (const Pool::Entry& seed : seeds) {
    if (!visited_.Add(seed.slot())) continue;
    pool_.Offer(seed.distance, seed.slot());
    OfferResult(seed.distance, seed.slot());
  }
}

void Walk::GatherPlain(Slot from) {
  const Slot* places = graph_->Places(from, level_);
  const uint32_t count = graph_->places(level_);
  for (uint32_t p = 0; p < count; ++p) {
    const Slot next = Graph::Read(places + p);
    if (next == kNoSlot) break;
    if (visited_.Add(next)) Add(next);
  }
}

void Walk::GatherTwoHops(Slot from) {
  const uint32_t count = graph_->places(0);
  const size_t batch_max = kTwoHopBatches * count;
  const Slot* places = graph_->Places(from, 0);
  for (uint32_t p = 0; p < count && places[p] != kNoSlot; ++p) {
    if (!visited_.Contains(places[p])) graph_->Prefetch(places[p]);
  }
  for (uint32_t p = 0; p < count && places[p] != kNoSlot && batch_.size() < batch_max; ++p) {
    if (!visited_.Add(places[p])) continue;
    if (Passes(places[p])) {
      Add(places[p]);
      continue;
    }
    const Slot* beyond = graph_->Places(places[p], 0);
    for (uint32_t q = 0; q < count && beyond[q] != kNoSlot; ++q) {
      if (visited_.Contains(beyond[q]) || !Passes(beyond[q])) continue;
      visited_.Add(beyond[q]);
      Add(beyond[q]);
    }
  }
}

bool Walk::Gather() {
  const Slot from = pool_.Take();
  if (from == kNoSlot) return false;
  batch_.clear();
  if (two_hops_) {
    GatherTwoHops(from);
  } else {
    GatherPlain(from);
  }
  return true;
}

void Walk::Score() {
  if (batch_.empty()) return;
  batch_distances_.resize(batch_.size());
  codes_->Distances(query_, batch_.data(), batch_.size(), batch_distances_.data());
  distances_ += batch_.size();
  for (size_t i = 0; i < batch_.size(); ++i) {
    const float distance = batch_distances_[i];
    if (results_on_) OfferResult(distance, batch_[i]);
    if (distance < pool_.bar()) pool_.Offer(distance, batch_[i]);
  }
  const Slot next = pool_.Peek();
  if (next != kNoSlot && level_ == 0) graph_->Prefetch(next);
}

}  // namespace ragstone::index::vectors

#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "index/internal/vectors/huge_buffer.h"
#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// The links of an HNSW graph (Malkov and Yashunin, 2016). Level 0 has a fixed number of places for
// each slot in one array, so that a step of a walk is one multiplication away from its links; of
// upper levels only the slots that are in them have any. Places that are free come last and hold
// kNoSlot.
//
// Single links may be read while other threads write them; which links belong together is the
// builder's to lock.
class Graph {
 public:
  Graph() = default;
  // `levels` has the highest level of each slot.
  static Result<Graph> Make(uint32_t links, std::vector<uint8_t> levels);

  uint32_t links() const { return links_; }
  uint32_t places(int level) const { return level == 0 ? 2 * links_ : links_; }
  size_t rows() const { return levels_.size(); }
  int level(Slot slot) const { return levels_[slot]; }
  const Slot* Places(Slot slot, int level) const {
    if (level == 0) return Base() + size_t{slot} * 2 * links_;
    return upper_.data() + (upper_begin_[slot] + static_cast<size_t>(level - 1)) * links_;
  }
  Slot* Places(Slot slot, int level) {
    return const_cast<Slot*>(static_cast<const Graph*>(this)->Places(slot, level));
  }
  static Slot Read(const Slot* place) { return __atomic_load_n(place, __ATOMIC_RELAXED); }
  static void Write(Slot* place, Slot slot) { __atomic_store_n(place, slot, __ATOMIC_RELAXED); }
  void Prefetch(Slot slot) const {
    const auto* place = reinterpret_cast<const char*>(Places(slot, 0));
    const size_t bytes = size_t{2} * links_ * sizeof(Slot);
    for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(place + at);
  }

  Slot entry() const { return entry_; }
  int top_level() const { return entry_ == kNoSlot ? 0 : levels_[entry_]; }
  void set_entry(Slot slot) { entry_ = slot; }

  // The same graph with other numbers: `order` lists today's slots in their new order.
  Result<Graph> Renumbered(const std::vector<Slot>& order) const;
  // INTERNAL unless every link leads to a slot that is in the level. For graphs from outside.
  Status Check() const;

  uint64_t bytes() const;
  // Whole for storing.
  std::span<const uint8_t> levels() const { return levels_; }
  std::span<Slot> base_places() { return {Base(), rows() * 2 * links_}; }
  std::span<const Slot> base_places() const { return {Base(), rows() * 2 * links_}; }
  std::span<Slot> upper_places() { return upper_; }
  std::span<const Slot> upper_places() const { return upper_; }

 private:
  Slot* Base() { return reinterpret_cast<Slot*>(base_.data()); }
  const Slot* Base() const { return reinterpret_cast<const Slot*>(base_.data()); }

  uint32_t links_ = 0;
  Slot entry_ = kNoSlot;
  std::vector<uint8_t> levels_;
  HugeBuffer base_;
  std::vector<uint32_t> upper_begin_;  // of a slot, in lists of `links_` places
  std::vector<Slot> upper_;
};

}  // namespace ragstone::index::vectors

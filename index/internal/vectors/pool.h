#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// The nearest `capacity` slots seen, in order, and which of them a walk has gone on from. A sorted
// array is faster than heaps at the sizes in use: most slots are refused by one comparison, and
// the next to go on from is found without a second queue. Not thread-safe.
class Pool {
 public:
  struct Entry {
    float distance;
    uint32_t tagged;  // the slot, and kDone
    Slot slot() const { return tagged & ~kDone; }
  };
  static constexpr uint32_t kDone = 0x80000000;

  void Reset(size_t capacity) {
    if (entries_.size() < capacity + 1) entries_.resize(capacity + 1);
    capacity_ = capacity;
    size_ = 0;
    next_ = 0;
  }

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool full() const { return size_ == capacity_; }
  const Entry& operator[](size_t i) const { return entries_[i]; }
  // Slots at this distance or beyond are refused.
  float bar() const { return full() ? entries_[size_ - 1].distance : kInfinity; }

  void Offer(float distance, Slot slot) {
    if (size_ == capacity_) {
      if (capacity_ == 0 || !(distance < entries_[size_ - 1].distance)) return;
      --size_;
    }
    const size_t at = Place(distance);
    std::memmove(&entries_[at + 1], &entries_[at], (size_ - at) * sizeof(Entry));
    entries_[at] = {distance, slot};
    ++size_;
    next_ = std::min(next_, at);
  }

  // The nearest that was not taken yet; kNoSlot if all were.
  Slot Take() {
    while (next_ < size_ && (entries_[next_].tagged & kDone) != 0) ++next_;
    if (next_ == size_) return kNoSlot;
    const Slot slot = entries_[next_].tagged;
    entries_[next_++].tagged |= kDone;
    return slot;
  }
  // Which Take will most likely give next; kNoSlot if none.
  Slot Peek() const {
    size_t at = next_;
    while (at < size_ && (entries_[at].tagged & kDone) != 0) ++at;
    return at < size_ ? entries_[at].tagged : kNoSlot;
  }

 private:
  static constexpr float kInfinity = 3.4e38f;

  // After all that are as near: the one seen first stays.
  size_t Place(float distance) const {
    size_t low = 0;
    size_t length = size_;
    while (length > 0) {
      const size_t half = length / 2;
      const bool beyond = entries_[low + half].distance <= distance;
      low = beyond ? low + half + 1 : low;
      length = beyond ? length - half - 1 : half;
    }
    return low;
  }

  std::vector<Entry> entries_;
  size_t capacity_ = 0;
  size_t size_ = 0;
  size_t next_ = 0;  // all before were taken
};

}  // namespace ragstone::index::vectors

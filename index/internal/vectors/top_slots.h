#pragma once

#include <algorithm>
#include <vector>

#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// The nearest `most` of any number of slots: what is nearer than the bar is collected, and cut back
// when it has become twice as much. Not thread-safe.
class TopSlots {
 public:
  struct Entry {
    float distance;
    Slot slot;
    bool operator<(const Entry& other) const {
      return distance != other.distance ? distance < other.distance : slot < other.slot;
    }
  };

  explicit TopSlots(size_t most) : most_(most) {}

  void Offer(float distance, Slot slot) {
    if (distance > bar_) return;
    entries_.push_back({distance, slot});
    if (entries_.size() >= 2 * most_ + kSlack) Cut();
  }
  // Nearest first.
  const std::vector<Entry>& Sorted() {
    Cut();
    std::sort(entries_.begin(), entries_.end());
    return entries_;
  }

 private:
  static constexpr size_t kSlack = 256;

  void Cut() {
    if (entries_.size() <= most_) return;
    if (most_ > 0) {
      const auto last = entries_.begin() + static_cast<ptrdiff_t>(most_ - 1);
      std::nth_element(entries_.begin(), last, entries_.end());
      bar_ = last->distance;
    }
    entries_.resize(most_);
  }

  const size_t most_;
  float bar_ = 3.4e38f;
  std::vector<Entry> entries_;
};

}  // namespace ragstone::index::vectors

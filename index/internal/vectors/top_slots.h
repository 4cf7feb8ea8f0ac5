#pragma once

#include <algorithm>
#include <vector>

#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// The nearest `most` of any number of rows, of equally near ones those of smaller numbers: what is
// not beyond the bar is collected, and cut back when it has become twice as much. Not thread-safe.
class TopSlots {
 public:
  explicit TopSlots(size_t most) : most_(most) {}

  // Whether Offer would look at it at all; false for NaN. Saves fetching the row's number.
  bool Takes(float distance) const { return distance <= bar_; }
  void Offer(float distance, RowId row, Slot slot) {
    if (!Takes(distance)) return;
    entries_.push_back({row, slot, distance});
    if (entries_.size() >= 2 * most_ + kSlack) Cut();
  }
  // Nearest first.
  const std::vector<Hit>& Sorted() {
    Cut();
    std::sort(entries_.begin(), entries_.end(), Nearer);
    return entries_;
  }

 private:
  static constexpr size_t kSlack = 256;

  void Cut() {
    if (entries_.size() <= most_) return;
    if (most_ > 0) {
      const auto last = entries_.begin() + static_cast<ptrdiff_t>(most_ - 1);
      std::nth_element(entries_.begin(), last, entries_.end(), Nearer);
      bar_ = last->distance;
    }
    entries_.resize(most_);
  }

  const size_t most_;
  float bar_ = 3.4e38f;
  std::vector<Hit> entries_;
};

}  // namespace ragstone::index::vectors

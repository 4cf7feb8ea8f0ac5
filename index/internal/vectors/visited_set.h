#pragma once

#include <cstring>
#include <vector>

#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// The slots a walk has seen: one bit each, so that the set of 100,000 slots stays in the first
// cache. Used again from walk to walk; a large set is cleared by undoing what was added. Not
// thread-safe.
class VisitedSet {
 public:
  // Empties the set and makes room for slots below `rows`.
  void Reset(size_t rows) {
    if (log_) {
      for (const Slot slot : added_) words_[slot / 64] = 0;
      added_.clear();
    } else if (used_ > 0) {
      std::memset(words_.data(), 0, used_ * sizeof(uint64_t));
    }
    used_ = (rows + 63) / 64;
    log_ = used_ > kClearWords;
    if (words_.size() < used_) words_.resize(used_, 0);
  }
  bool Contains(Slot slot) const { return (words_[slot / 64] >> slot % 64 & 1) != 0; }
  // Whether it is new.
  bool Add(Slot slot) {
    uint64_t& word = words_[slot / 64];
    const uint64_t bit = uint64_t{1} << slot % 64;
    if ((word & bit) != 0) return false;
    word |= bit;
    if (log_) added_.push_back(slot);
    return true;
  }

 private:
  static constexpr size_t kClearWords = 4096;

  std::vector<uint64_t> words_;
  std::vector<Slot> added_;  // if `log_`
  size_t used_ = 0;          // words that may have bits set
  bool log_ = false;
};

}  // namespace ragstone::index::vectors

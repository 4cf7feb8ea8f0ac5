#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// Which slots hold the same codes as the slot before them. Only the first of equal rows is in the
// graph: thousands of copies of one text would link to nothing but each other, and a walk that
// meets them would see nothing else.
class Twins {
 public:
  void Resize(size_t rows) { words_.assign((rows + 63) / 64, 0); }
  void Mark(Slot slot) {
    words_[slot / 64] |= uint64_t{1} << slot % 64;
    ++count_;
  }
  bool IsTwin(Slot slot) const {
    return slot / 64 < words_.size() && (words_[slot / 64] >> slot % 64 & 1) != 0;
  }
  bool HasTwin(Slot slot) const { return count_ != 0 && IsTwin(slot + 1); }
  size_t count() const { return count_; }

  // Calls `f` with the slot and those equal to it, until it returns false.
  template <typename F>
  void ForEqual(Slot slot, const F& f) const {
    if (!f(slot) || count_ == 0) return;
    while (IsTwin(++slot)) {
      if (!f(slot)) return;
    }
  }

 private:
  std::vector<uint64_t> words_;
  size_t count_ = 0;
};

}  // namespace ragstone::index::vectors

#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace ragstone::index {

// Rows of `width` values in blocks that never move, so that one writer can append while others read
// rows that were published to them. `rows_max` is fixed at construction; memory comes block by
// block.
template <typename T>
class StableArray {
 public:
  static constexpr size_t kBlockRows = 64;

  explicit StableArray(size_t rows_max, size_t width = 1)
      : width_(width), blocks_((rows_max + kBlockRows - 1) / kBlockRows) {}

  // Makes room for row `row`; the writer's.
  T* Reserve(size_t row) {
    std::unique_ptr<T[]>& block = blocks_[row / kBlockRows];
    if (block == nullptr) block = std::make_unique<T[]>(kBlockRows * width_);
    return block.get() + row % kBlockRows * width_;
  }
  const T* Row(size_t row) const {
    return blocks_[row / kBlockRows].get() + row % kBlockRows * width_;
  }
  const T& operator[](size_t row) const { return *Row(row); }
  size_t width() const { return width_; }
  size_t bytes_per_row() const { return width_ * sizeof(T); }

 private:
  const size_t width_;
  std::vector<std::unique_ptr<T[]>> blocks_;
};

}  // namespace ragstone::index

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/status.h"

namespace ragstone::index::vectors {

// Zeroed memory that begins at a multiple of 64 bytes. From kHugeMin on it consists of whole pieces
// of 2 MiB and the kernel is asked for huge pages, because random rows otherwise cost a miss of the
// translation buffer each. Movable, not thread-safe.
class HugeBuffer {
 public:
  static constexpr size_t kPiece = size_t{2} << 20;
  static constexpr size_t kHugeMin = size_t{1} << 20;

  HugeBuffer() = default;
  ~HugeBuffer() { Free(); }
  HugeBuffer(HugeBuffer&& other) noexcept { *this = std::move(other); }
  HugeBuffer& operator=(HugeBuffer&& other) noexcept;

  // RESOURCE_EXHAUSTED (MEMORY_LIMIT) if there is not so much.
  static Result<HugeBuffer> Make(size_t bytes);

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  // What it takes from the machine.
  size_t allocated() const { return mapped_ != 0 ? mapped_ : size_; }

 private:
  void Free();

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;  // bytes mapped; 0: from the heap
};

}  // namespace ragstone::index::vectors

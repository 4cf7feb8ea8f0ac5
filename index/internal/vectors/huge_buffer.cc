#include "index/internal/vectors/huge_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace ragstone::index::vectors {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kBytesMax = size_t{1} << 46;

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

Status NoMemory(size_t bytes) {
  return ResourceExhausted(Reason::kMemoryLimit, "no memory for " + std::to_string(bytes) +
                                                     " bytes of vectors; use smaller storage or a "
                                                     "machine with more memory");
}

// Maps a multiple of kPiece that begins at one; null if there is no memory.
uint8_t* MapPieces(size_t bytes) {
  const size_t with_slack = bytes + HugeBuffer::kPiece;
  void* mapped =
      mmap(nullptr, with_slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* begin = static_cast<uint8_t*>(mapped);
  const size_t before =
      (HugeBuffer::kPiece - reinterpret_cast<uintptr_t>(begin) % HugeBuffer::kPiece) %
      HugeBuffer::kPiece;
  if (before > 0) munmap(begin, before);
  if (with_slack > before + bytes) munmap(begin + before + bytes, with_slack - before - bytes);
  // Only advice: without huge pages it is slower and right.
  (void)madvise(begin + before, bytes, MADV_HUGEPAGE);
  return begin + before;
}

}  // namespace

Result<HugeBuffer> HugeBuffer::Make(size_t bytes) {
  HugeBuffer made;
  if (bytes > kBytesMax) return NoMemory(bytes);
  made.size_ = bytes;
  if (bytes >= kHugeMin) {
    const size_t pieces = RoundUp(bytes, kPiece);
    made.data_ = MapPieces(pieces);
    if (made.data_ != nullptr) made.mapped_ = pieces;
  } else {
    const size_t rounded = RoundUp(bytes > 0 ? bytes : 1, kAlignment);
    made.data_ = static_cast<uint8_t*>(std::aligned_alloc(kAlignment, rounded));
    if (made.data_ != nullptr) std::memset(made.data_, 0, rounded);
  }
  if (made.data_ == nullptr) return NoMemory(bytes);
  return made;
}

HugeBuffer& HugeBuffer::operator=(HugeBuffer&& other) noexcept {
  if (this != &other) {
    Free();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
  }
  return *this;
}

void HugeBuffer::Free() {
  if (mapped_ != 0) {
    munmap(data_, mapped_);
  } else {
    std::free(data_);
  }
  data_ = nullptr;
  size_ = mapped_ = 0;
}

}  // namespace ragstone::index::vectors

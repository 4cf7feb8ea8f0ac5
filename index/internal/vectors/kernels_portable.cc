// Kernels for any processor.
#include "index/internal/vectors/half.h"
#include "index/internal/vectors/kernels_blocks.h"

namespace ragstone::index::vectors {
namespace {

inline float ValueAt(const uint8_t* row, size_t i, bool halves) {
  if (halves) {
    uint16_t half;
    __builtin_memcpy(&half, row + 2 * i, 2);
    return HalfToFloat(half);
  }
  float value;
  __builtin_memcpy(&value, row + 4 * i, 4);
  return value;
}

template <bool kHalves, bool kSquared>
struct FloatRows {
  template <size_t kRows>
  static void Run(const float* query, const uint8_t* const* rows, size_t units, float* out) {
    const size_t size = units * kRowUnit / (kHalves ? 2 : 4);
    for (size_t row = 0; row < kRows; ++row) {
      // Eight sums, so that the compiler can keep vector registers busy without reordering.
      float sums[8] = {};
      for (size_t i = 0; i < size; i += 8) {
        for (size_t j = 0; j < 8; ++j) {
          const float value = ValueAt(rows[row], i + j, kHalves);
          const float factor = kSquared ? value - query[i + j] : value;
          sums[j] += factor * (kSquared ? factor : query[i + j]);
        }
      }
      out[row] =
          ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    }
  }
};

struct ByteRows {
  template <size_t kRows>
  static void Run(const int8_t* query, const uint8_t* const* rows, size_t units, int32_t* out) {
    const size_t size = units * kRowUnit;
    for (size_t row = 0; row < kRows; ++row) {
      int32_t sum = 0;
      for (size_t i = 0; i < size; ++i) sum += int32_t{rows[row][i]} * int32_t{query[i]};
      out[row] = sum;
    }
  }
};

}  // namespace

const Kernels& PortableKernels() {
  static constexpr Kernels kKernels = {"portable",
                                       ForRows<FloatRows<false, false>, float, float>,
                                       ForRows<FloatRows<false, true>, float, float>,
                                       ForRows<FloatRows<true, false>, float, float>,
                                       ForRows<FloatRows<true, true>, float, float>,
                                       ForRows<ByteRows, int8_t, int32_t>,
                                       ForRows<Hamming, uint64_t, int32_t>};
  return kKernels;
}

}  // namespace ragstone::index::vectors

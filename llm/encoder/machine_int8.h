// The machine for products of 8-bit activations and weights with AVX512-VNNI; for kernels_*.cc
// only.
#pragma once

#include <immintrin.h>

#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {
namespace {

// sums += four products for each 32-bit lane. In assembly, since GCC 12 copies the sums around the
// intrinsic and keeps some of them on the stack, at half the speed.
inline void AddProducts(__m512i* sums, __m512i activations, __m512i weights) {
  asm("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(activations), "v"(weights));
}

struct VnniMachine {
  using Value = Bf16;
  using Input = uint8_t;
  using Weight = int8_t;
  static constexpr size_t kRows = 12;
  static constexpr size_t kColumns = 32;
  static constexpr size_t kGroup = 4;
  static constexpr size_t kInputStep = 4;
  static void Begin() {}
  static void End() {}

  template <size_t R>
  __attribute__((noinline)) static void Fixed(const Tile<uint8_t>& tile) {
    __m512i sums[R][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_si512();
    const char* panel = static_cast<const char*>(tile.panel);
    const uint8_t* a = tile.a;
    const size_t stride = tile.a_stride;
    for (size_t k = 0; k < tile.inputs; k += 4, panel += 128) {
      const __m512i b0 = _mm512_loadu_si512(panel);
      const __m512i b1 = _mm512_loadu_si512(panel + 64);
#pragma GCC unroll 16
      for (size_t r = 0; r < R; ++r) {
        int32_t four;
        __builtin_memcpy(&four, a + r * stride + k, 4);
        const __m512i x = _mm512_set1_epi32(four);
        AddProducts(&sums[r][0], x, b0);
        AddProducts(&sums[r][1], x, b1);
      }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) {
      StoreScaled(reinterpret_cast<Ints>(sums[r][0]), tile, r, 0);
      StoreScaled(reinterpret_cast<Ints>(sums[r][1]), tile, r, 16);
    }
  }
  static void Run(size_t rows, const Tile<uint8_t>& tile) {
    RunRows<VnniMachine, kRows>(rows, tile);
  }
};

}  // namespace
}  // namespace ragstone::llm

// The machine for products of BF16 pairs with AVX512-BF16; for kernels_*.cc only.
#pragma once

#include <immintrin.h>

#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {
namespace {

struct Bf16Machine {
  using Value = Bf16;
  using Input = Bf16;
  using Weight = Bf16;
  static constexpr size_t kRows = 12;
  static constexpr size_t kColumns = 32;
  static constexpr size_t kGroup = 2;
  static constexpr size_t kInputStep = 2;
  static void Begin() {}
  static void End() {}

  template <size_t R>
  __attribute__((noinline)) static void Fixed(const Tile<Bf16>& tile) {
    __m512 sums[R][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
    const char* panel = static_cast<const char*>(tile.panel);
    const Bf16* a = tile.a;
    const size_t stride = tile.a_stride;
    for (size_t k = 0; k < tile.inputs; k += 2, panel += 128) {
      const __m512bh b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel));
      const __m512bh b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + 64));
#pragma GCC unroll 16
      for (size_t r = 0; r < R; ++r) {
        int32_t pair;
        __builtin_memcpy(&pair, a + r * stride + k, 4);
        const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
        sums[r][0] = _mm512_dpbf16_ps(sums[r][0], x, b0);
        sums[r][1] = _mm512_dpbf16_ps(sums[r][1], x, b1);
      }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) {
      _mm512_storeu_ps(tile.c + r * tile.c_stride, sums[r][0]);
      _mm512_storeu_ps(tile.c + r * tile.c_stride + 16, sums[r][1]);
    }
  }
  static void Run(size_t rows, const Tile<Bf16>& tile) { RunRows<Bf16Machine, kRows>(rows, tile); }
};

}  // namespace
}  // namespace ragstone::llm

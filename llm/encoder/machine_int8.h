// The machine for products of 8-bit activations and weights with VNNI instructions; for
// kernels_*.cc and its test only.
#pragma once

#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {
namespace {

// `Instruction::AddProducts(&sums, activations, weights)` adds four products to each 32-bit lane.
// `V` is what values are between products. In assembly, since GCC 12 copies the sums around the
// intrinsic and keeps some of them on the stack, at half the speed.
template <typename Instruction, typename V, size_t kMaxRows>
struct VnniMachine {
  using Value = V;
  using Input = uint8_t;
  using Weight = int8_t;
  static constexpr size_t kRows = kMaxRows;
  static constexpr size_t kColumns = 2 * kLanes;
  static constexpr size_t kGroup = 4;
  static constexpr size_t kInputStep = 4;
  static void Begin() {}
  static void End() {}

  static Ints LoadInts(const char* from) {
    Ints v;
    __builtin_memcpy(&v, from, sizeof(v));
    return v;
  }

  template <size_t R>
  __attribute__((noinline)) static void Fixed(const Tile<uint8_t>& tile) {
    Ints sums[R][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) sums[r][0] = sums[r][1] = Ints{};
    const char* panel = static_cast<const char*>(tile.panel);
    const uint8_t* a = tile.a;
    const size_t stride = tile.a_stride;
    for (size_t k = 0; k < tile.inputs; k += 4, panel += 4 * kColumns) {
      const Ints b0 = LoadInts(panel);
      const Ints b1 = LoadInts(panel + 2 * kColumns);
#pragma GCC unroll 16
      for (size_t r = 0; r < R; ++r) {
        int32_t four;
        __builtin_memcpy(&four, a + r * stride + k, 4);
        const Ints x = four - Ints{};
        Instruction::AddProducts(&sums[r][0], x, b0);
        Instruction::AddProducts(&sums[r][1], x, b1);
      }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) {
      StoreScaled(sums[r][0], tile, r, 0);
      StoreScaled(sums[r][1], tile, r, kLanes);
    }
  }
  static void Run(size_t rows, const Tile<uint8_t>& tile) {
    RunRows<VnniMachine, kRows>(rows, tile);
  }
};

}  // namespace
}  // namespace ragstone::llm

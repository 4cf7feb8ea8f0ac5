// Kernels for AMX: products in tiles, everything else as with AVX-512 and BF16.
#include <immintrin.h>

#define RAGSTONE_LANES 16
#include "llm/encoder/kernels_simd.h"
#include "llm/encoder/machine_amx.h"

namespace ragstone::llm {
namespace {

// In assembly: GCC 12 believes that loading the configuration reads 8 bytes, and drops the stores
// of the other 56 as dead.
struct TileInstructions {
  struct alignas(64) Config {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};  // of a row, by tile
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static_assert(sizeof(Config) == 64);

  static void Begin() {
    static constexpr Config kConfig;
    asm volatile("ldtilecfg %0" : : "m"(kConfig));
  }
  // Without it every switch to another thread saves 8 KiB.
  static void End() { asm volatile("tilerelease" :); }

  template <int T>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  template <int T>
  static void Load(const void* from, size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(T) : "memory");
  }
  template <int T>
  static void Store(void* to, size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(T) : "memory");
  }
};

struct Bf16Tiles : TileInstructions {
  template <int kSum, int kActivations, int kWeights>
  static void Multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSum), "i"(kActivations), "i"(kWeights));
  }
};

struct Int8Tiles : TileInstructions {
  template <int kSum, int kActivations, int kWeights>
  static void Multiply() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0"
                 :
                 : "i"(kSum), "i"(kActivations), "i"(kWeights));
  }
};

}  // namespace

const Kernels& AmxBf16Kernels() {
  using Machine = AmxBf16Machine<Bf16Tiles>;
  static constexpr Kernels kKernels = TableOf<Machine, Machine>("amx-bf16", 96);
  return kKernels;
}

const Kernels& AmxInt8Kernels() {
  using Attention = AmxBf16Machine<Bf16Tiles>;
  static constexpr Kernels kKernels = TableOf<AmxInt8Machine<Int8Tiles>, Attention>("amx-int8", 96);
  return kKernels;
}

}  // namespace ragstone::llm

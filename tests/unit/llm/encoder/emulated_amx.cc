#define RAGSTONE_LANES 4
#include "tests/unit/llm/encoder/emulated_amx.h"

#include <cstring>

#include "llm/encoder/machine_amx.h"
#include "tests/unit/llm/encoder/emulated_vnni.h"

namespace ragstone::llm {
namespace {

// As Intel's manual says, but for the order in which a sum is rounded.
struct EmulatedTiles {
  static inline thread_local char tiles[8][kTileRows][kTileBytes];
  static inline thread_local int depth = 0;

  static void Begin() { ++depth; }
  static void End() { --depth; }
  template <int T>
  static void Zero() {
    std::memset(tiles[T], depth == 1 ? 0 : 0xff, sizeof(tiles[T]));  // outside of Begin: no numbers
  }
  template <int T>
  static void Load(const void* from, size_t stride) {
    for (size_t r = 0; r < kTileRows; ++r) {
      std::memcpy(tiles[T][r], static_cast<const char*>(from) + r * stride, kTileBytes);
    }
  }
  template <int T>
  static void Store(void* to, size_t stride) {
    for (size_t r = 0; r < kTileRows; ++r) {
      std::memcpy(static_cast<char*>(to) + r * stride, tiles[T][r], kTileBytes);
    }
  }
  template <typename V>
  static V At(int t, size_t row, size_t index) {
    V value;
    std::memcpy(&value, &tiles[t][row][index * sizeof(V)], sizeof(V));
    return value;
  }
};

struct EmulatedBf16 : EmulatedTiles {
  static float Widen(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof(value));
    return value;
  }
  template <int kSum, int kActivations, int kWeights>
  static void Multiply() {
    for (size_t r = 0; r < kTileRows; ++r) {
      for (size_t c = 0; c < 16; ++c) {
        float sum = At<float>(kSum, r, c);
        for (size_t k = 0; k < 32; ++k) {
          sum += Widen(At<uint16_t>(kActivations, r, k)) *
                 Widen(At<uint16_t>(kWeights, k / 2, 2 * c + k % 2));
        }
        std::memcpy(&tiles[kSum][r][4 * c], &sum, 4);
      }
    }
  }
};

struct EmulatedInt8 : EmulatedTiles {
  template <int kSum, int kActivations, int kWeights>
  static void Multiply() {
    for (size_t r = 0; r < kTileRows; ++r) {
      for (size_t c = 0; c < 16; ++c) {
        int32_t sum = At<int32_t>(kSum, r, c);
        for (size_t k = 0; k < 64; ++k) {
          sum += At<uint8_t>(kActivations, r, k) * At<int8_t>(kWeights, k / 4, 4 * c + k % 4);
        }
        std::memcpy(&tiles[kSum][r][4 * c], &sum, 4);
      }
    }
  }
};

}  // namespace

const Kernels& EmulatedAmxBf16Kernels() {
  using Machine = AmxBf16Machine<EmulatedBf16>;
  static constexpr Kernels kKernels = TableOf<Machine, Machine>("emulated-amx-bf16", 96);
  return kKernels;
}

const Kernels& EmulatedAmxInt8Kernels() {
  using Attention = AmxBf16Machine<EmulatedBf16>;
  static constexpr Kernels kKernels =
      TableOf<AmxInt8Machine<EmulatedInt8>, Attention>("emulated-amx-int8", 96);
  return kKernels;
}

std::vector<KernelTier> TestedTiers() {
  std::vector<KernelTier> tiers = KernelTiers();
  tiers.push_back({&EmulatedAmxBf16Kernels(), {}});
  tiers.push_back({&EmulatedAmxInt8Kernels(), {}});
  tiers.push_back({&EmulatedAvxVnniKernels(), {}});
  return tiers;
}

}  // namespace ragstone::llm

#define RAGSTONE_LANES 8
#include "tests/unit/llm/encoder/emulated_vnni.h"

#include <cstring>

#include "llm/encoder/machine_int8.h"

namespace ragstone::llm {
namespace {

// As Intel's manual says: bytes without a sign times bytes with one, four products to a sum.
struct EmulatedVnni {
  static void AddProducts(Ints* sums, Ints activations, Ints weights) {
    uint8_t a[4 * kLanes];
    int8_t w[4 * kLanes];
    std::memcpy(a, &activations, sizeof(a));
    std::memcpy(w, &weights, sizeof(w));
    for (size_t i = 0; i < 4 * kLanes; ++i) (*sums)[i / 4] += a[i] * w[i];
  }
};

}  // namespace

const Kernels& EmulatedAvxVnniKernels() {
  using Machine = VnniMachine<EmulatedVnni, float, 6>;
  using Attention = FloatMachine<6, 2>;
  static constexpr Kernels kKernels = TableOf<Machine, Attention>("emulated-avx-vnni", 96);
  return kKernels;
}

}  // namespace ragstone::llm

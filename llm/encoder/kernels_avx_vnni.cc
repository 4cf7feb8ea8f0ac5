// Kernels for AVX2 with AVX-VNNI (Alder Lake, Sierra Forest): 8-bit products, attention in float.
#include <immintrin.h>

#define RAGSTONE_LANES 8
#include "llm/encoder/kernels_simd.h"
#include "llm/encoder/machine_int8.h"

namespace ragstone::llm {
namespace {

struct AvxVnni {
  static void AddProducts(Ints* sums, Ints activations, Ints weights) {
    // Without the prefix the assembler takes the form of AVX-512.
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sums) : "x"(activations), "x"(weights));
  }
};

}  // namespace

const Kernels& AvxVnniKernels() {
  using Machine = VnniMachine<AvxVnni, float, 6>;  // 12 sums in 16 registers
  using Attention = FloatMachine<6, 2>;
  static constexpr Kernels kKernels = TableOf<Machine, Attention>("avx-vnni", 96);
  return kKernels;
}

}  // namespace ragstone::llm

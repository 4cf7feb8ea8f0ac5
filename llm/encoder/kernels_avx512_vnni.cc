// Kernels for AVX-512 with VNNI and BF16: 8-bit products, attention in BF16.
#include <immintrin.h>

#define RAGSTONE_LANES 16
#include "llm/encoder/kernels_simd.h"
#include "llm/encoder/machine_bf16.h"
#include "llm/encoder/machine_int8.h"

namespace ragstone::llm {

const Kernels& Avx512VnniKernels() {
  static constexpr Kernels kKernels = TableOf<VnniMachine, Bf16Machine>("avx512-vnni", 96);
  return kKernels;
}

}  // namespace ragstone::llm

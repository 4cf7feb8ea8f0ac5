// Kernels for AVX-512 with BF16: products of BF16 pairs summed in float.
#include <immintrin.h>

#define RAGSTONE_LANES 16
#include "llm/encoder/kernels_simd.h"
#include "llm/encoder/machine_bf16.h"

namespace ragstone::llm {

const Kernels& Avx512Bf16Kernels() {
  static constexpr Kernels kKernels = TableOf<Bf16Machine, Bf16Machine>("avx512-bf16", 96);
  return kKernels;
}

}  // namespace ragstone::llm

// Kernels for AVX-512 without BF16 (F, BW, DQ, VL).
#include <immintrin.h>

#define RAGSTONE_LANES 16
#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {

const Kernels& Avx512Kernels() {
  using Machine = FloatMachine<12, 2>;  // 24 sums in 32 registers
  static constexpr Kernels kKernels = TableOf<Machine, Machine>("avx512", 96);
  return kKernels;
}

}  // namespace ragstone::llm

// Kernels for AVX2 with FMA.
#include <immintrin.h>

#define RAGSTONE_LANES 8
#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {

const Kernels& Avx2Kernels() {
  using Machine = FloatMachine<6, 2>;  // 12 sums in 16 registers
  static constexpr Kernels kKernels = TableOf<Machine, Machine>("avx2", 96);
  return kKernels;
}

}  // namespace ragstone::llm

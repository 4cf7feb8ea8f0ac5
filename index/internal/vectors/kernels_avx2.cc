// Kernels for AVX2 with FMA and F16C.
#include "index/internal/vectors/kernels_simd.h"

namespace ragstone::index::vectors {

const Kernels& Avx2Kernels() {
  static constexpr Kernels kKernels = TableOf("avx2");
  return kKernels;
}

}  // namespace ragstone::index::vectors

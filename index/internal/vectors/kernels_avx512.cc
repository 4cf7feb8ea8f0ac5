// Kernels for AVX-512.
#include "index/internal/vectors/kernels_simd.h"

namespace ragstone::index::vectors {

const Kernels& Avx512Kernels() {
  static constexpr Kernels kKernels = TableOf("avx512");
  return kKernels;
}

}  // namespace ragstone::index::vectors

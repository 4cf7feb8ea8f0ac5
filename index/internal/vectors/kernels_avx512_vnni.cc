// Kernels for AVX-512 with VNNI.
#include "index/internal/vectors/kernels_simd.h"

namespace ragstone::index::vectors {

const Kernels& Avx512VnniKernels() {
  static constexpr Kernels kKernels = TableOf("avx512-vnni");
  return kKernels;
}

}  // namespace ragstone::index::vectors

// Kernels for AVX-512 with VNNI but without BF16 (Ice Lake): 8-bit products, attention in float.
#include <immintrin.h>

#define RAGSTONE_LANES 16
#include "llm/encoder/kernels_simd.h"
#include "llm/encoder/machine_avx512_vnni.h"
#include "llm/encoder/machine_int8.h"

namespace ragstone::llm {

const Kernels& Avx512VnniF32Kernels() {
  using Machine = VnniMachine<Avx512Vnni, float, 12>;  // 24 sums in 32 registers
  using Attention = FloatMachine<12, 2>;
  static constexpr Kernels kKernels = TableOf<Machine, Attention>("avx512-vnni-f32", 96);
  return kKernels;
}

}  // namespace ragstone::llm

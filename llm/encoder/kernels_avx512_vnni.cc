// Kernels for AVX-512 with VNNI and BF16: 8-bit products, attention in BF16.
#include <immintrin.h>

#define RAGSTONE_LANES 16
#include "llm/encoder/kernels_simd.h"
#include "llm/encoder/machine_avx512_vnni.h"
#include "llm/encoder/machine_bf16.h"
#include "llm/encoder/machine_int8.h"

namespace ragstone::llm {

const Kernels& Avx512VnniKernels() {
  using Machine = VnniMachine<Avx512Vnni, Bf16, 12>;  // 24 sums in 32 registers
  static constexpr Kernels kKernels = TableOf<Machine, Bf16Machine>("avx512-vnni", 96);
  return kKernels;
}

}  // namespace ragstone::llm

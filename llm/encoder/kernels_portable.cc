// Kernels for every machine: vectors of four floats, which any compiler makes of what there is.
#define RAGSTONE_LANES 4
#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {

const Kernels& PortableKernels() {
  using Machine = FloatMachine<4, 2>;  // 8 sums in 16 registers
  static constexpr Kernels kKernels = TableOf<Machine, Machine>("portable", 64);
  return kKernels;
}

}  // namespace ragstone::llm

#pragma once

#include "llm/encoder/kernels.h"

namespace ragstone::llm {

// The kernels for AVX-VNNI with the one instruction that a machine may lack in plain C++.
const Kernels& EmulatedAvxVnniKernels();

}  // namespace ragstone::llm

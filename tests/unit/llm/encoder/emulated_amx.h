#pragma once

#include <vector>

#include "llm/encoder/kernel_tiers.h"

namespace ragstone::llm {

// The kernels for AMX on tile registers that are arrays, so that their addressing is tested on
// machines without AMX.
const Kernels& EmulatedAmxBf16Kernels();
const Kernels& EmulatedAmxInt8Kernels();

// All that are compiled in, and the emulated ones.
std::vector<KernelTier> TestedTiers();

}  // namespace ragstone::llm

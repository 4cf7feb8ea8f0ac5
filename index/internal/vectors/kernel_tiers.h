#pragma once

#include <vector>

#include "index/internal/vectors/kernels.h"

namespace ragstone::index::vectors {

// The tiers that this processor runs, best first; the last is portable. Each was compared with the
// portable one on made-up values; one that computes wrong values is left out.
const std::vector<const Kernels*>& KernelTiers();

// The best of them; chosen once.
const Kernels& BestKernels();

}  // namespace ragstone::index::vectors

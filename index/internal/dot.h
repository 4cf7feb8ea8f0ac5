#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace ragstone::index {

// The inner product of two vectors of `size` floats, by the best instructions of this CPU. All
// accumulate in 32-bit floats; the order of additions differs between tiers.
using DotFunction = float (*)(const float* a, const float* b, size_t size);

struct DotTier {
  std::string_view name;
  DotFunction function;
};

// The tiers this CPU can run, best first; the last is portable.
const std::vector<DotTier>& DotTiers();

// The best of them; chosen once.
DotFunction BestDot();

}  // namespace ragstone::index

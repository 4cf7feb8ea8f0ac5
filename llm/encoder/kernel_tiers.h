#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "llm/encoder/kernels.h"

namespace ragstone::llm {

// The encoder's kernels for one instruction set and whether this processor runs them.
struct KernelTier {
  const Kernels* kernels = nullptr;
  std::vector<std::string> missing;  // features of the processor or the operating system
};

// All that are compiled in, the best first: those in floating point, then int8.
std::vector<KernelTier> KernelTiers();

// Computes a linear layer, LayerNorm and attention on made-up values and compares them with the
// portable kernels. FAILED_PRECONDITION (MODEL_UNSUPPORTED) if the processor lacks a feature -
// found before a kernel runs - or a result is wrong.
Status TestKernels(const KernelTier& tier);

// The kernels to use. `wanted` is "float" or "int8" for the best of the class, or the name of a
// tier. `worker_tier` is the instruction set that the process was told to stay within: "v2" and
// "avx2" ("cuda" is as avx2) forbid what is beyond them. FAILED_PRECONDITION (MODEL_UNSUPPORTED)
// saying what was found wrong with each candidate.
Result<const Kernels*> ChooseKernels(std::string_view wanted, std::string_view worker_tier);

}  // namespace ragstone::llm

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

// Whether a process that was told to stay within the instruction set `worker_tier` may run kernels.
// "v2" forbids AVX2 and all beyond; "avx2" AVX-512, but only where the worker for AVX-512 runs and
// was not chosen: it asks for BF16 and VNNI, so that on the processors before them (Skylake, Ice
// Lake) the worker for AVX2 is the best there is. "cuda" is as avx2 with that worker.
bool IsWithinWorkerTier(std::string_view tier, std::string_view worker_tier,
                        bool has_avx512_worker);

// The kernels to use. `wanted` is "float" or "int8" for the best of the class, or the name of a
// tier; none is taken beyond `worker_tier`. FAILED_PRECONDITION (MODEL_UNSUPPORTED) saying what was
// found wrong with each candidate.
Result<const Kernels*> ChooseKernels(std::string_view wanted, std::string_view worker_tier);

}  // namespace ragstone::llm

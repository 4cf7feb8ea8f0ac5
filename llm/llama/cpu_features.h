#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// The tier that this executable's kernels were compiled for: "v2", "avx2", "avx512", "cuda" or
// "generic". Set once by main(), before anything else of this folder is used.
void SetCompiledTier(std::string tier);
std::string CompiledTier();

// The CPU features, by CPUID and the operating system's state, that every instruction of the tier's
// kernels may use unasked. (AMX is not among them: ggml asks the kernel before it uses tiles.)
std::vector<std::string> MissingFeatures(const std::string& tier);

// How many layers go to a GPU: `wanted` where llama.cpp sees one, else 0.
int32_t GpuLayers(int32_t wanted);

// Runs matrix products in F32, BF16, F16, Q8_0 and Q4_0 through ggml and compares them with scalar
// arithmetic. Returns what was checked, for a person; FAILED_PRECONDITION (MODEL_UNSUPPORTED) if
// the processor lacks a feature of the tier - found before a kernel runs - or a product is wrong.
Result<std::string> RunSelfTest(const std::string& tier);

}  // namespace ragstone::llm

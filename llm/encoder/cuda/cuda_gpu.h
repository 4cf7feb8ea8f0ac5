#pragma once

#include <memory>

#include "base/status.h"
#include "llm/encoder/gpu/gpu.h"

namespace ragstone::llm::gpu {

// Opens a GPU by its number among those that CUDA shows: products by cuBLASLt, our kernels beside
// them; bfloat16 from Ampere on, half precision on Volta and Turing, float before. UNAVAILABLE
// (WORKER_UNAVAILABLE) with what the driver says if there is none, or if this program has no code
// for it.
Result<std::unique_ptr<Gpu>> OpenCudaGpu(int device);

}  // namespace ragstone::llm::gpu

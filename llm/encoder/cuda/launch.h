#pragma once

#include <cuda_runtime_api.h>

#include "llm/encoder/gpu/gpu_calls.h"

// Starts our kernels (compiled by nvcc) on a stream. What a launch returns is cudaGetLastError().
namespace ragstone::llm::gpu {

// Writes what the kernels that the selected device would run were compiled for, as 10 times the
// compute capability; an error if there are none for it.
cudaError_t CompiledCapability(int* capability);

cudaError_t LaunchEmbed(Type type, const EmbedCall& call, cudaStream_t stream);
cudaError_t LaunchNorm(Type type, const NormCall& call, cudaStream_t stream);
cudaError_t LaunchGelu(Type type, const GeluCall& call, cudaStream_t stream);
cudaError_t LaunchPool(Type type, const PoolCall& call, cudaStream_t stream);
// `matrix`: with tensor cores where there is a kernel for the head size.
cudaError_t LaunchAttention(Type type, bool matrix, const AttentionCall& call, cudaStream_t stream);

}  // namespace ragstone::llm::gpu

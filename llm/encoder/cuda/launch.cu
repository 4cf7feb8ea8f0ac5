#include "llm/encoder/cuda/device.cuh"
#include "llm/encoder/cuda/launch.h"
// The kernels need the names above.
#include "llm/encoder/cuda/row_kernels.cuh"
// And these the ones of rows.
#include "llm/encoder/cuda/attention_kernels.cuh"
// And this all kernels.
#include "llm/encoder/cuda/dispatch.cuh"

namespace ragstone::llm::gpu {
namespace {

struct StreamLauncher {
  template <typename Call>
  void Start(void (*kernel)(Call), const Grid& grid, const Call& call) const {
    kernel<<<dim3(grid.x, grid.y), grid.threads, 0, stream>>>(call);
  }
  cudaStream_t stream;
};

}  // namespace

cudaError_t CompiledCapability(int* capability) {
  cudaFuncAttributes attributes{};
  const cudaError_t error = cudaFuncGetAttributes(&attributes, EmbedKernel<float, 0>);
  // The version of the source: compiled later for a newer GPU it still lacks that one's
  // instructions.
  *capability = attributes.ptxVersion;
  return error;
}

cudaError_t LaunchEmbed(Type type, const EmbedCall& call, cudaStream_t stream) {
  DispatchEmbed(type, call, StreamLauncher{stream});
  return cudaGetLastError();
}

cudaError_t LaunchNorm(Type type, const NormCall& call, cudaStream_t stream) {
  DispatchNorm(type, call, StreamLauncher{stream});
  return cudaGetLastError();
}

cudaError_t LaunchGelu(Type type, const GeluCall& call, cudaStream_t stream) {
  DispatchGelu(type, call, StreamLauncher{stream});
  return cudaGetLastError();
}

cudaError_t LaunchPool(Type type, const PoolCall& call, cudaStream_t stream) {
  DispatchPool(type, call, StreamLauncher{stream});
  return cudaGetLastError();
}

cudaError_t LaunchAttention(Type type, bool matrix, const AttentionCall& call,
                            cudaStream_t stream) {
  DispatchAttention(type, matrix, call, StreamLauncher{stream});
  return cudaGetLastError();
}

}  // namespace ragstone::llm::gpu

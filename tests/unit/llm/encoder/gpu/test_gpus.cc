#include "tests/unit/llm/encoder/gpu/test_gpus.h"

#include "tests/unit/llm/encoder/gpu/emulated_gpu.h"
#ifdef RAGSTONE_WITH_CUDA
#include "llm/encoder/cuda/cuda_gpu.h"
#endif

namespace ragstone::llm::gpu {
namespace {

template <Type kType, bool kTensorAttention>
std::shared_ptr<Gpu> Emulated() {
  return std::make_shared<EmulatedGpu>(kType, kTensorAttention);
}

#ifdef RAGSTONE_WITH_CUDA
std::shared_ptr<Gpu> Cuda() {
  Result<std::unique_ptr<Gpu>> gpu = OpenCudaGpu(0);
  return gpu.ok() ? std::move(*gpu) : nullptr;
}
#endif

}  // namespace

std::vector<TestGpu> TestGpus() {
  return {
      {"Pascal", Emulated<Type::kF32, false>},
      {"Volta", Emulated<Type::kF16, false>},
      {"Turing", Emulated<Type::kF16, true>},
      {"Ampere", Emulated<Type::kBf16, true>},
#ifdef RAGSTONE_WITH_CUDA
      {"Cuda", Cuda},
#endif
  };
}

}  // namespace ragstone::llm::gpu

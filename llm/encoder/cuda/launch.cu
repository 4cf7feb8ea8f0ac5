#include <type_traits>

#include "llm/encoder/cuda/device.cuh"
#include "llm/encoder/cuda/launch.h"
// The kernels need the names above.
#include "llm/encoder/cuda/row_kernels.cuh"
// And these the ones of rows.
#include "llm/encoder/cuda/attention_kernels.cuh"

namespace ragstone::llm::gpu {
namespace {

dim3 BlocksOfRows(const Bucket& bucket) {
  return dim3((bucket.tokens + kRowsOfBlock - 1) / kRowsOfBlock);
}

// Calls `launch` with a value of the type that the GPU computes in.
template <typename F>
cudaError_t WithType(Type type, F launch) {
  switch (type) {
    case Type::kF32:
      launch(float());
      break;
    case Type::kF16:
      launch(F16());
      break;
    case Type::kBf16:
      launch(Bf16());
      break;
  }
  return cudaGetLastError();
}

// Calls `launch` with the pairs of a lane, as a type, for the usual lengths of rows; else with 0.
template <typename F>
void WithPairs(uint32_t hidden, F launch) {
  switch (hidden) {
    case 384:
      return launch(std::integral_constant<int, 384 / kPairStep>());
    case 768:
      return launch(std::integral_constant<int, 768 / kPairStep>());
    case 1024:
      return launch(std::integral_constant<int, 1024 / kPairStep>());
    default:
      return launch(std::integral_constant<int, 0>());
  }
}

template <typename T>
void LaunchPlainAttention(const AttentionCall& call, dim3 blocks, cudaStream_t stream) {
  if (call.head_size <= 32) {
    PlainAttentionKernel<T, 32><<<blocks, kAttentionThreads, 0, stream>>>(call);
  } else if (call.head_size <= 64) {
    PlainAttentionKernel<T, 64><<<blocks, kAttentionThreads, 0, stream>>>(call);
  } else {
    PlainAttentionKernel<T, 128><<<blocks, kAttentionThreads, 0, stream>>>(call);
  }
}

// False if there is no kernel for this head size.
template <typename T>
bool LaunchMatrixAttention(const AttentionCall& call, dim3 blocks, cudaStream_t stream) {
  if (call.head_size == 32) {
    MatrixAttentionKernel<T, 32><<<blocks, kAttentionThreads, 0, stream>>>(call);
  } else if (call.head_size == 64) {
    MatrixAttentionKernel<T, 64><<<blocks, kAttentionThreads, 0, stream>>>(call);
  } else {
    return false;
  }
  return true;
}
template <>
bool LaunchMatrixAttention<float>(const AttentionCall&, dim3, cudaStream_t) {
  return false;
}

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
  return WithType(type, [&](auto zero) {
    using T = decltype(zero);
    const auto launch = [&](auto pairs) {
      EmbedKernel<T, decltype(pairs)::value>
          <<<BlocksOfRows(call.bucket), kRowThreads, 0, stream>>>(call);
    };
    WithPairs(call.hidden, launch);
  });
}

cudaError_t LaunchNorm(Type type, const NormCall& call, cudaStream_t stream) {
  return WithType(type, [&](auto zero) {
    using T = decltype(zero);
    const auto launch = [&](auto pairs) {
      NormKernel<T, decltype(pairs)::value>
          <<<BlocksOfRows(call.bucket), kRowThreads, 0, stream>>>(call);
    };
    WithPairs(call.hidden, launch);
  });
}

cudaError_t LaunchGelu(Type type, const GeluCall& call, cudaStream_t stream) {
  return WithType(type, [&](auto zero) {
    using T = decltype(zero);
    GeluKernel<T><<<call.bucket.tokens, kGeluThreads, 0, stream>>>(call);
  });
}

cudaError_t LaunchPool(Type type, const PoolCall& call, cudaStream_t stream) {
  return WithType(type, [&](auto zero) {
    using T = decltype(zero);
    PoolKernel<T><<<call.bucket.tiles, kPoolThreads, 0, stream>>>(call);
  });
}

cudaError_t LaunchAttention(Type type, bool matrix, const AttentionCall& call,
                            cudaStream_t stream) {
  const dim3 blocks(call.bucket.tiles, call.heads);
  return WithType(type, [&](auto zero) {
    using T = decltype(zero);
    if (matrix && LaunchMatrixAttention<T>(call, blocks, stream)) return;
    LaunchPlainAttention<T>(call, blocks, stream);
  });
}

}  // namespace ragstone::llm::gpu

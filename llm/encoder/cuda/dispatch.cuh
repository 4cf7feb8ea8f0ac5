// Which kernel serves a call: by the GPU's type, the length of rows, the size of heads. Included
// after the kernels, by launch.cu and by the tests, which run the kernels on the CPU.
//
// A Launcher starts them: launcher.Start(kernel, grid, call).
#pragma once

#include <type_traits>

#include "llm/encoder/gpu/gpu_calls.h"

namespace ragstone::llm::gpu {

struct Grid {
  uint32_t x = 1, y = 1;  // blocks
  uint32_t threads = 0;   // of a block
  // The threads meet nowhere: an emulation may run them one after the other.
  bool independent = false;
};

inline Grid GridOfRows(const Bucket& bucket) {
  return {(bucket.tokens + kRowsOfBlock - 1) / kRowsOfBlock, 1, kRowThreads};
}

// Calls `launch` with a value of the type.
template <typename F>
void WithType(Type type, const F& launch) {
  switch (type) {
    case Type::kF32:
      return launch(float());
    case Type::kF16:
      return launch(F16());
    case Type::kBf16:
      return launch(Bf16());
  }
}

// Calls `launch` with the pairs of a lane, as a type, for the usual lengths of rows; else with 0.
template <typename F>
void WithPairs(uint32_t hidden, const F& launch) {
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

template <typename Launcher>
void DispatchEmbed(Type type, const EmbedCall& call, const Launcher& launcher) {
  WithType(type, [&](auto zero) {
    using T = decltype(zero);
    WithPairs(call.hidden, [&](auto pairs) {
      launcher.Start(EmbedKernel<T, decltype(pairs)::value>, GridOfRows(call.bucket), call);
    });
  });
}

template <typename Launcher>
void DispatchNorm(Type type, const NormCall& call, const Launcher& launcher) {
  WithType(type, [&](auto zero) {
    using T = decltype(zero);
    WithPairs(call.hidden, [&](auto pairs) {
      launcher.Start(NormKernel<T, decltype(pairs)::value>, GridOfRows(call.bucket), call);
    });
  });
}

template <typename Launcher>
void DispatchGelu(Type type, const GeluCall& call, const Launcher& launcher) {
  WithType(type, [&](auto zero) {
    launcher.Start(GeluKernel<decltype(zero)>, Grid{call.bucket.tokens, 1, kGeluThreads, true},
                   call);
  });
}

template <typename Launcher>
void DispatchPool(Type type, const PoolCall& call, const Launcher& launcher) {
  WithType(type, [&](auto zero) {
    launcher.Start(PoolKernel<decltype(zero)>, Grid{call.bucket.tiles, 1, kPoolThreads}, call);
  });
}

// `matrix`: with tensor cores where there is a kernel for the head size.
template <typename Launcher>
void DispatchAttention(Type type, bool matrix, const AttentionCall& call,
                       const Launcher& launcher) {
  const Grid grid = {call.bucket.tiles, call.heads, kAttentionThreads};
  WithType(type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_same_v<T, float>) {
      if (matrix && call.head_size == 32) {
        return launcher.Start(MatrixAttentionKernel<T, 32>, grid, call);
      }
      if (matrix && call.head_size == 64) {
        return launcher.Start(MatrixAttentionKernel<T, 64>, grid, call);
      }
    }
    if (call.head_size <= 32) {
      launcher.Start(PlainAttentionKernel<T, 32>, grid, call);
    } else if (call.head_size <= 64) {
      launcher.Start(PlainAttentionKernel<T, 64>, grid, call);
    } else {
      launcher.Start(PlainAttentionKernel<T, 128>, grid, call);
    }
  });
}

}  // namespace ragstone::llm::gpu

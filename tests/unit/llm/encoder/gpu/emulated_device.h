// The names of llm/encoder/cuda/device.cuh for the CPU: kernels compiled by the C++ compiler run
// thread by thread, each on a stack of its own, and meet at barriers and in exchanges of a warp. So
// their results, their places in memory and their barriers are tested without a GPU.
//
// Included before the kernels. One kernel runs at a time in a process: shared memory is static.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "llm/float16.h"

namespace ragstone::llm::gpu::emulated {

struct Index {
  uint32_t x = 0, y = 0;
};

struct Launch {
  Index blocks;
  uint32_t threads = 0;  // of a block
  // The threads meet nowhere: they run one after the other, which is many times faster.
  bool independent = false;
};

// Runs `kernel` for every thread of every block. Aborts with a message if threads wait for ones
// that have ended, or for different things: on a GPU that would hang or be undefined.
void Run(const Launch& launch, const std::function<void()>& kernel);

// Of the thread that runs.
const Index& ThreadIndex();
const Index& BlockIndex();

// Waits for all threads of the block.
void SyncBlock();

// What each lane of a warp has put there.
struct WarpWords {
  static constexpr int kWords = 6;
  uint32_t words[32][kWords];
};

// Puts `count` words there and waits for the other lanes of the warp. The result stays until the
// next but one exchange.
const WarpWords& Exchange(const uint32_t* words, int count);

}  // namespace ragstone::llm::gpu::emulated

#define threadIdx ::ragstone::llm::gpu::emulated::ThreadIndex()
#define blockIdx ::ragstone::llm::gpu::emulated::BlockIndex()
#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __syncthreads ::ragstone::llm::gpu::emulated::SyncBlock

namespace ragstone::llm::gpu {

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};
struct alignas(8) Pair {
  float x, y;
};

// As the GPU rounds: to infinity beyond the largest half.
inline uint16_t BitsOf(float value, F16) {
  constexpr float kOverflow = 65520;
  if (std::isnan(value)) return 0x7E00;
  if (std::abs(value) >= kOverflow) return value < 0 ? 0xFC00 : 0x7C00;
  return ToHalf(value);
}
inline uint16_t BitsOf(float value, Bf16) {
  return std::isnan(value) ? uint16_t{0x7FC0} : ToBfloat16(value);
}
inline float FloatOf(uint16_t bits, F16) { return FromHalf(bits); }
inline float FloatOf(uint16_t bits, Bf16) { return FromBfloat16(bits); }

template <typename T>
uint32_t Pack(Pair pair, T type) {
  return BitsOf(pair.x, type) | uint32_t{BitsOf(pair.y, type)} << 16;
}
template <typename T>
Pair Unpack(uint32_t bits, T type) {
  return {FloatOf(static_cast<uint16_t>(bits), type),
          FloatOf(static_cast<uint16_t>(bits >> 16), type)};
}

inline Pair LoadWeights(const float* at) { return *reinterpret_cast<const Pair*>(at); }
inline float Exp2(float x) { return std::exp2(x); }

float SumOfWarp(float value, int lanes = 32);
float MaxOfWarp(float value, int lanes);

void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], F16);
void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Bf16);
void LoadTransposed(uint32_t (&matrices)[4], const void* row);

}  // namespace ragstone::llm::gpu

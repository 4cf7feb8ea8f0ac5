// The language of our kernels on a GPU: types, pairs of values, sums over a warp, tensor-core
// instructions. tests/unit/llm/encoder/gpu/emulated_device.h has the same names for the CPU.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace ragstone::llm::gpu {

struct F16 {
  __half value;
};
struct Bf16 {
  __nv_bfloat16 value;
};
struct alignas(8) Pair {
  float x, y;
};

// Two floats as two 16-bit values in a register, the first in the low half.
__device__ inline uint32_t Pack(Pair pair, F16) {
  const __half2 both = __floats2half2_rn(pair.x, pair.y);
  return *reinterpret_cast<const uint32_t*>(&both);
}
__device__ inline uint32_t Pack(Pair pair, Bf16) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(pair.x, pair.y);
  return *reinterpret_cast<const uint32_t*>(&both);
}
__device__ inline Pair Unpack(uint32_t bits, F16) {
  const float2 both = __half22float2(*reinterpret_cast<const __half2*>(&bits));
  return {both.x, both.y};
}
__device__ inline Pair Unpack(uint32_t bits, Bf16) {
  return {__uint_as_float(bits << 16), __uint_as_float(bits & 0xffff0000u)};
}

// What kernels never write, read past the cache of what they do.
__device__ inline Pair LoadWeights(const float* at) {
  const float2 both = __ldg(reinterpret_cast<const float2*>(at));
  return {both.x, both.y};
}

// 2 to the power of x, in one instruction; tiny results are zero.
__device__ inline float Exp2(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}

__device__ inline float SumOfWarp(float value, int lanes = 32) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}
__device__ inline float MaxOfWarp(float value, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
  }
  return value;
}

// c (16 × 8) += a (16 × 16) · b (16 × 8): the fragments of PTX's mma.m16n8k16.
__device__ inline void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                   F16) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif __CUDA_ARCH__ >= 750
  // Turing multiplies half as deep; the fragments are the two halves.
  for (int half = 0; half < 2; ++half) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[2 * half]), "r"(a[2 * half + 1]), "r"(b[half]));
  }
#else
  __trap();  // never launched there: Info::tensor_attention is false
#endif
}
__device__ inline void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                   Bf16) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  __trap();  // never launched there: Turing computes in fp16
#endif
}

// Four 8 × 8 matrices of 16-bit values in shared memory, transposed (PTX's ldmatrix). The lanes 8·m
// to 8·m + 7 give the addresses of the rows of matrix m.
__device__ inline void LoadTransposed(uint32_t (&matrices)[4], const void* row) {
#if __CUDA_ARCH__ >= 750
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
               : "r"(address)
               : "memory");
#else
  __trap();
#endif
}

}  // namespace ragstone::llm::gpu

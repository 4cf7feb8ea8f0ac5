// Kernels that go over the rows of a batch. Included after device.cuh or its emulation.
#pragma once

#include "llm/encoder/gpu/gpu_calls.h"

namespace ragstone::llm::gpu {

constexpr int kWarp = 32;
constexpr int kRowThreads = 128;
constexpr int kRowsOfBlock = kRowThreads / kWarp;  // a warp has a row
// A lane has pairs of values 64 apart: each load of a warp is one stretch of memory.
constexpr int kPairStep = 2 * kWarp;
constexpr int kPairsMax = static_cast<int>(kRowMax) / kPairStep;
constexpr int kGeluThreads = 192;  // 8 values each: a row of MiniLM at once, one of BERT's in two
constexpr int kPoolThreads = 256;
constexpr int kPoolWarps = kPoolThreads / kWarp;

__device__ inline Pair LoadPair(const float* at) { return *reinterpret_cast<const Pair*>(at); }
template <typename T>
__device__ inline Pair LoadPair(const T* at) {
  return Unpack(*reinterpret_cast<const uint32_t*>(at), T{});
}
__device__ inline void StorePair(float* at, Pair pair) { *reinterpret_cast<Pair*>(at) = pair; }
template <typename T>
__device__ inline void StorePair(T* at, Pair pair) {
  *reinterpret_cast<uint32_t*>(at) = Pack(pair, T{});
}

// As many values as one load brings.
template <typename T>
struct alignas(16) Values {
  static constexpr int kCount = 16 / sizeof(T);
  T values[kCount];
};

// The values of a row that one lane has. `kPairs` is their number for rows of one length, which
// lets all loads be begun before the first is used; 0 serves all lengths.
template <int kPairs>
struct RowPart {
  static constexpr int kSize = kPairs > 0 ? kPairs : kPairsMax;
  __device__ static inline int Count(uint32_t hidden) {
    return kPairs > 0 ? kPairs : static_cast<int>(hidden) / kPairStep;
  }
  Pair pairs[kSize];
};

// LayerNorm of the row that a warp holds. The variance is summed from differences to the mean: the
// difference of two large sums would lose it.
template <typename T, int kPairs>
__device__ inline void NormalizeRow(RowPart<kPairs>* row, uint32_t hidden, const Norm& norm,
                                    T* output) {
  constexpr int kSize = RowPart<kPairs>::kSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int count = RowPart<kPairs>::Count(hidden);
  const float scale = 1.0f / static_cast<float>(hidden);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kSize; ++i) {
    if (i < count) sum += row->pairs[i].x + row->pairs[i].y;
  }
  const float mean = SumOfWarp(sum) * scale;
  float squares = 0;
#pragma unroll
  for (int i = 0; i < kSize; ++i) {
    if (i >= count) continue;
    const float x = row->pairs[i].x - mean;
    const float y = row->pairs[i].y - mean;
    squares += x * x + y * y;
  }
  const float factor = 1.0f / sqrtf(SumOfWarp(squares) * scale + norm.epsilon);
#pragma unroll
  for (int i = 0; i < kSize; ++i) {
    if (i >= count) continue;
    const int at = i * kPairStep + lane * 2;
    const Pair gamma = LoadWeights(norm.gamma + at);
    const Pair beta = LoadWeights(norm.beta + at);
    StorePair(output + at, {(row->pairs[i].x - mean) * factor * gamma.x + beta.x,
                            (row->pairs[i].y - mean) * factor * gamma.y + beta.y});
  }
}

// The row of this thread's warp.
__device__ inline size_t RowOfWarp() {
  return static_cast<size_t>(blockIdx.x) * kRowsOfBlock + threadIdx.x / kWarp;
}

template <typename T, int kPairs>
__global__ void __launch_bounds__(kRowThreads) EmbedKernel(EmbedCall call) {
  const size_t row = RowOfWarp();
  if (row >= static_cast<size_t>(call.sizes->tokens)) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int count = RowPart<kPairs>::Count(call.hidden);
  const T* token =
      static_cast<const T*>(call.tokens) + static_cast<size_t>(call.ids[row]) * call.hidden;
  const float* position =
      call.positions + static_cast<size_t>(call.positions_of[row]) * call.hidden;
  RowPart<kPairs> part;
#pragma unroll
  for (int i = 0; i < RowPart<kPairs>::kSize; ++i) {
    if (i >= count) continue;
    const int at = i * kPairStep + lane * 2;
    const Pair a = LoadPair(token + at);
    const Pair b = LoadWeights(position + at);
    part.pairs[i] = {a.x + b.x, a.y + b.y};
  }
  NormalizeRow(&part, call.hidden, call.norm, static_cast<T*>(call.output) + row * call.hidden);
}

template <typename T, int kPairs>
__global__ void __launch_bounds__(kRowThreads) NormKernel(NormCall call) {
  const size_t row = RowOfWarp();
  if (row >= static_cast<size_t>(call.sizes->tokens)) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int count = RowPart<kPairs>::Count(call.hidden);
  const T* input = static_cast<const T*>(call.input) + row * call.hidden;
  T* residual = static_cast<T*>(call.residual) + row * call.hidden;
  RowPart<kPairs> part;
#pragma unroll
  for (int i = 0; i < RowPart<kPairs>::kSize; ++i) {
    if (i >= count) continue;
    const int at = i * kPairStep + lane * 2;
    const Pair a = LoadPair(input + at);
    const Pair b = LoadPair(static_cast<const T*>(residual) + at);
    const Pair c = LoadWeights(call.bias + at);
    part.pairs[i] = {a.x + b.x + c.x, a.y + b.y + c.y};
  }
  NormalizeRow(&part, call.hidden, call.norm, residual);
}

__device__ inline float GeluOf(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }

// A block has a row.
template <typename T>
__global__ void __launch_bounds__(kGeluThreads) GeluKernel(GeluCall call) {
  constexpr int kCount = Values<T>::kCount;
  const size_t row = blockIdx.x;
  if (row >= static_cast<size_t>(call.sizes->tokens)) return;
  T* x = static_cast<T*>(call.x) + row * call.size;
  for (uint32_t at = kCount * threadIdx.x; at < call.size; at += kCount * kGeluThreads) {
    Values<T> part = *reinterpret_cast<const Values<T>*>(x + at);
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      const Pair value = LoadPair(static_cast<const T*>(part.values) + i);
      const Pair bias = LoadWeights(call.bias + at + i);
      StorePair(part.values + i, {GeluOf(value.x + bias.x), GeluOf(value.y + bias.y)});
    }
    *reinterpret_cast<Values<T>*>(x + at) = part;
  }
}

// Sum over the threads of a pooling block; `sums` is shared and has one place for each warp.
__device__ inline float SumOfBlock(float value, float* sums) {
  value = SumOfWarp(value);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < kPoolWarps; ++i) sum += sums[i];
  return sum;
}

// Sums the rows first, first + kPoolWarps, ... of a text into `sums`, one row of floats.
template <typename T>
__device__ inline void SumRows(const T* x, int rows, uint32_t hidden, float* sums) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int count = static_cast<int>(hidden) / kPairStep;
  RowPart<0> part = {};
  for (int row = static_cast<int>(threadIdx.x) / kWarp; row < rows; row += kPoolWarps) {
    const T* values = x + static_cast<size_t>(row) * hidden + lane * 2;
#pragma unroll
    for (int i = 0; i < kPairsMax; ++i) {
      if (i >= count) continue;
      const Pair value = LoadPair(values + i * kPairStep);
      part.pairs[i] = {part.pairs[i].x + value.x, part.pairs[i].y + value.y};
    }
  }
#pragma unroll
  for (int i = 0; i < kPairsMax; ++i) {
    if (i < count) StorePair(sums + i * kPairStep + lane * 2, part.pairs[i]);
  }
}

// A block has a text; its warps share the rows.
template <typename T>
__global__ void __launch_bounds__(kPoolThreads) PoolKernel(PoolCall call) {
  __shared__ __align__(8) float parts[kPoolWarps][kRowMax];
  __shared__ float squares[kPoolWarps];
  constexpr int kValues = static_cast<int>(kRowMax) / kPoolThreads;  // of a thread
  if (static_cast<int>(blockIdx.x) >= call.sizes->texts) return;
  const TextRange text = call.texts[blockIdx.x];
  const int rows = call.first_row ? 1 : text.length;
  SumRows(static_cast<const T*>(call.x) + static_cast<size_t>(text.begin) * call.hidden, rows,
          call.hidden, parts[threadIdx.x / kWarp]);
  __syncthreads();
  float values[kValues];
  float sum_of_squares = 0;
#pragma unroll
  for (int i = 0; i < kValues; ++i) {
    const uint32_t at = static_cast<uint32_t>(i) * kPoolThreads + threadIdx.x;
    values[i] = 0;
    if (at >= call.hidden) continue;
    for (int warp = 0; warp < kPoolWarps; ++warp) values[i] += parts[warp][at];
    values[i] /= static_cast<float>(rows);
    sum_of_squares += values[i] * values[i];
  }
  sum_of_squares = SumOfBlock(sum_of_squares, squares);
  const float factor = call.normalize && sum_of_squares > 0 ? 1.0f / sqrtf(sum_of_squares) : 1.0f;
  float* vector = call.vectors + static_cast<size_t>(blockIdx.x) * call.hidden;
#pragma unroll
  for (int i = 0; i < kValues; ++i) {
    const uint32_t at = static_cast<uint32_t>(i) * kPoolThreads + threadIdx.x;
    if (at < call.hidden) vector[at] = values[i] * factor;
  }
}

}  // namespace ragstone::llm::gpu

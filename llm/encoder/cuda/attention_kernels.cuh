// Softmax attention over texts that lie one after the other, without padding. Included after
// row_kernels.cuh.
//
// A block has a tile of query rows of one text and one head, and goes over the keys in tiles with a
// running maximum and sum (FlashAttention: Dao et al. 2022; Dao 2023), so that no matrix of scores
// is ever written.
#pragma once

#include "llm/encoder/gpu/gpu_calls.h"

namespace ragstone::llm::gpu {

constexpr int kTileKeys = 64;
constexpr int kAttentionThreads = 128;
constexpr float kLog2E = 1.44269504f;
constexpr float kNegativeMax = -3.0e38f;  // below any score, and no infinity to subtract

// Scores are multiplied by this and go through exp2.
__device__ inline float ScaleOf(int head_size) {
  return kLog2E / sqrtf(static_cast<float>(head_size));
}

// --- with tensor cores

constexpr int kMatrixRows = 16;  // of the instruction: query rows of a warp
static_assert(kTileRows == kMatrixRows * kAttentionThreads / kWarp);

// A tile of keys or values in shared memory. 8 values beyond each row put the rows into different
// banks, and keep them aligned to the 16 bytes that LoadTransposed asks for.
template <typename T, int kHead>
struct alignas(16) KeyTile {
  T rows[kTileKeys][kHead + 8];
};

// What a thread copies of a tile: the loads are all begun before the first is stored, so that their
// latencies overlap.
template <typename T, int kHead>
class TileCopy {
 public:
  // From rows [first, first + kTileKeys) of a text. Rows beyond the text are its last one again:
  // their weights are zero, and the values are numbers.
  __device__ inline void Fetch(const T* text, size_t stride, int first, int length) {
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      const int row = first + RowOf(i) < length ? first + RowOf(i) : length - 1;
      parts_[i] =
          *reinterpret_cast<const Values<T>*>(text + static_cast<size_t>(row) * stride + AtOf(i));
    }
  }
  __device__ inline void Store(KeyTile<T, kHead>* tile) const {
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      *reinterpret_cast<Values<T>*>(&tile->rows[RowOf(i)][AtOf(i)]) = parts_[i];
    }
  }

 private:
  static constexpr int kValues = Values<T>::kCount;
  static constexpr int kPartsOfRow = kHead / kValues;
  static constexpr int kParts = kTileKeys * kPartsOfRow / kAttentionThreads;

  __device__ static inline int Number(int i) {
    return static_cast<int>(threadIdx.x) + i * kAttentionThreads;
  }
  __device__ static inline int RowOf(int i) { return Number(i) / kPartsOfRow; }
  __device__ static inline int AtOf(int i) { return Number(i) % kPartsOfRow * kValues; }

  Values<T> parts_[kParts];
};

// What a lane keeps of its warp's 16 query rows: those of `row` and row + 8 in the fragments'
// layout, of which it has two columns of every eight.
template <int kHead>
struct QueryRows {
  uint32_t query[kHead / 16][4];
  float output[kHead / 8][4];
  float max[2];
  float sum[2];
};

template <typename T, int kHead>
__device__ inline void LoadQuery(const T* text, size_t stride, int row, int length,
                                 QueryRows<kHead>* rows) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int k = 0; k < kHead / 16; ++k) {
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      const int at = row + part % 2 * 8;
      rows->query[k][part] =
          at < length ? *reinterpret_cast<const uint32_t*>(text + static_cast<size_t>(at) * stride +
                                                           k * 16 + part / 2 * 8 + column)
                      : 0;
    }
  }
#pragma unroll
  for (int n = 0; n < kHead / 8; ++n) {
    for (int i = 0; i < 4; ++i) rows->output[n][i] = 0;
  }
  for (int i = 0; i < 2; ++i) {
    rows->max[i] = kNegativeMax;
    rows->sum[i] = 0;
  }
}

// scores (16 × kTileKeys) = query · keysᵀ; those of the first `count` keys count.
template <typename T, int kHead>
__device__ inline void Score(const QueryRows<kHead>& rows, const KeyTile<T, kHead>& keys, int count,
                             float (&scores)[kTileKeys / 8][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int column = lane % 4 * 2;
#pragma unroll
  for (int n = 0; n < kTileKeys / 8; ++n) {
    const T* key = keys.rows[n * 8 + lane / 4];
    for (int i = 0; i < 4; ++i) scores[n][i] = 0;
#pragma unroll
    for (int k = 0; k < kHead / 16; ++k) {
      const uint32_t part[2] = {*reinterpret_cast<const uint32_t*>(key + k * 16 + column),
                                *reinterpret_cast<const uint32_t*>(key + k * 16 + 8 + column)};
      MultiplyAdd(scores[n], rows.query[k], part, T{});
    }
  }
  if (count >= kTileKeys) return;
#pragma unroll
  for (int n = 0; n < kTileKeys / 8; ++n) {
    for (int i = 0; i < 4; ++i) {
      if (n * 8 + column + i % 2 >= count) scores[n][i] = kNegativeMax;
    }
  }
}

// Scores become exp(score - maximum); sums and outputs so far are scaled to the new maximum.
template <int kHead>
__device__ inline void Exponentiate(QueryRows<kHead>* rows, float (&scores)[kTileKeys / 8][4]) {
  const float scale = ScaleOf(kHead);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float max = kNegativeMax;
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; ++n) {
      max = fmaxf(max, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
    }
    max = fmaxf(rows->max[half], MaxOfWarp(max, 4));
    const float factor = Exp2((rows->max[half] - max) * scale);
    const float shift = -max * scale;
    rows->max[half] = max;
    rows->sum[half] *= factor;
#pragma unroll
    for (int n = 0; n < kHead / 8; ++n) {
      rows->output[n][2 * half] *= factor;
      rows->output[n][2 * half + 1] *= factor;
    }
#pragma unroll
    for (int n = 0; n < kTileKeys / 8; ++n) {
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        scores[n][i] = Exp2(fmaf(scores[n][i], scale, shift));
        rows->sum[half] += scores[n][i];
      }
    }
  }
}

// output += weights (16 × kTileKeys) · values. The layout of a product's result is that of the next
// one's left side.
template <typename T, int kHead>
__device__ inline void AddValues(const float (&weights)[kTileKeys / 8][4],
                                 const KeyTile<T, kHead>& values, QueryRows<kHead>* rows) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int k = 0; k < kTileKeys / 16; ++k) {
    const float(&low)[4] = weights[2 * k];
    const float(&high)[4] = weights[2 * k + 1];
    const uint32_t left[4] = {Pack({low[0], low[1]}, T{}), Pack({low[2], low[3]}, T{}),
                              Pack({high[0], high[1]}, T{}), Pack({high[2], high[3]}, T{})};
    const T* row = values.rows[k * 16 + lane % 16];
#pragma unroll
    for (int n = 0; n < kHead / 8; n += 2) {
      uint32_t right[4];
      LoadTransposed(right, row + n * 8 + lane / 16 * 8);
      MultiplyAdd(rows->output[n], left, {right[0], right[1]}, T{});
      MultiplyAdd(rows->output[n + 1], left, {right[2], right[3]}, T{});
    }
  }
}

// With so many blocks of a multiprocessor asked for ptxas spills for no target; with three at heads
// of 64 it does for sm_120.
template <typename T, int kHead>
__global__ void __launch_bounds__(kAttentionThreads, kHead == 32 ? 4 : 2)
    MatrixAttentionKernel(AttentionCall call) {
  __shared__ KeyTile<T, kHead> keys;
  __shared__ KeyTile<T, kHead> values;
  if (static_cast<int>(blockIdx.x) >= call.sizes->tiles) return;
  const Tile tile = call.tiles[blockIdx.x];
  const size_t hidden = static_cast<size_t>(call.heads) * kHead;
  const T* text = static_cast<const T*>(call.qkv) + static_cast<size_t>(tile.begin) * 3 * hidden +
                  static_cast<size_t>(blockIdx.y) * kHead;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int first_row = tile.first + static_cast<int>(threadIdx.x) / kWarp * kMatrixRows;
  const int row = first_row + lane / 4;
  QueryRows<kHead> rows;
  LoadQuery(text, 3 * hidden, row, tile.length, &rows);
  for (int first = 0; first < tile.length; first += kTileKeys) {
    TileCopy<T, kHead> of_keys;
    TileCopy<T, kHead> of_values;
    of_keys.Fetch(text + hidden, 3 * hidden, first, tile.length);
    of_values.Fetch(text + 2 * hidden, 3 * hidden, first, tile.length);
    of_keys.Store(&keys);
    of_values.Store(&values);
    __syncthreads();
    if (first_row < tile.length) {  // the same for all lanes of a warp
      float scores[kTileKeys / 8][4];
      Score(rows, keys, tile.length - first, scores);
      Exponentiate(&rows, scores);
      AddValues(scores, values, &rows);
    }
    __syncthreads();
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float factor = 1.0f / SumOfWarp(rows.sum[half], 4);
    if (row + 8 * half >= tile.length) continue;
    T* output = static_cast<T*>(call.output) +
                static_cast<size_t>(tile.begin + row + 8 * half) * hidden +
                static_cast<size_t>(blockIdx.y) * kHead + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < kHead / 8; ++n) {
      StorePair(output + n * 8,
                {rows.output[n][2 * half] * factor, rows.output[n][2 * half + 1] * factor});
    }
  }
}

// --- without: for cards before Turing, and other head sizes

constexpr int kLanesOfRow = 2;  // threads that share a query row
static_assert(kTileRows == kAttentionThreads / kLanesOfRow);
constexpr int kPlainKeys = 16;

// Rows of keys or values as floats, with zeros beyond the text and beyond the head: so the loops
// have one length for all head sizes up to kHeadMax.
template <int kHeadMax>
struct FloatTile {
  float rows[kPlainKeys][kHeadMax];
};

template <typename T, int kHeadMax>
__device__ inline void LoadFloats(const T* text, const AttentionCall& call, int first, int length,
                                  FloatTile<kHeadMax>* tile) {
  constexpr int kPairs = kHeadMax / 2;
  const size_t stride = static_cast<size_t>(3) * call.heads * call.head_size;
  for (int i = static_cast<int>(threadIdx.x); i < kPlainKeys * kPairs; i += kAttentionThreads) {
    const int row = i / kPairs;
    const int at = i % kPairs * 2;
    Pair pair = {0, 0};
    if (first + row < length && at < static_cast<int>(call.head_size)) {
      pair = LoadPair(text + static_cast<size_t>(first + row) * stride + at);
    }
    StorePair(&tile->rows[row][at], pair);
  }
}

// What a thread keeps: its half of a query row, in pairs 4 apart, and of the row's output.
template <int kHeadMax>
struct PlainRow {
  float query[kHeadMax / kLanesOfRow];
  float output[kHeadMax / kLanesOfRow];
  float max, sum;
};

// One tile of keys and values for one query row. Pairs of the head alternate between the threads
// of a row.
template <int kHeadMax>
__device__ inline void AttendTile(const FloatTile<kHeadMax>& keys,
                                  const FloatTile<kHeadMax>& values, int head_size, int count,
                                  PlainRow<kHeadMax>* row) {
  constexpr int kPairs = kHeadMax / kLanesOfRow / 2;
  const int lane = static_cast<int>(threadIdx.x) % kLanesOfRow;
  const float scale = ScaleOf(head_size);
  float scores[kPlainKeys];
  float max = row->max;
#pragma unroll
  for (int key = 0; key < kPlainKeys; ++key) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const Pair part = LoadPair(&keys.rows[key][(i * kLanesOfRow + lane) * 2]);
      sum += row->query[2 * i] * part.x + row->query[2 * i + 1] * part.y;
    }
    sum = SumOfWarp(sum, kLanesOfRow);
    scores[key] = key < count ? sum : kNegativeMax;
    max = fmaxf(max, scores[key]);
  }
  const float factor = Exp2((row->max - max) * scale);
  const float shift = -max * scale;
  row->max = max;
  row->sum *= factor;
  for (int i = 0; i < kHeadMax / kLanesOfRow; ++i) row->output[i] *= factor;
#pragma unroll
  for (int key = 0; key < kPlainKeys; ++key) {
    const float weight = Exp2(fmaf(scores[key], scale, shift));
    row->sum += weight;
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const Pair part = LoadPair(&values.rows[key][(i * kLanesOfRow + lane) * 2]);
      row->output[2 * i] += weight * part.x;
      row->output[2 * i + 1] += weight * part.y;
    }
  }
}

// Two blocks of a multiprocessor are asked for, else ptxas aims at more and spills for sm_90.
template <typename T, int kHeadMax>
__global__ void __launch_bounds__(kAttentionThreads, 2) PlainAttentionKernel(AttentionCall call) {
  __shared__ __align__(16) FloatTile<kHeadMax> keys;
  __shared__ __align__(16) FloatTile<kHeadMax> values;
  if (static_cast<int>(blockIdx.x) >= call.sizes->tiles) return;
  const Tile tile = call.tiles[blockIdx.x];
  constexpr int kPairs = kHeadMax / kLanesOfRow / 2;
  const int head_size = static_cast<int>(call.head_size);
  const int pairs = head_size / kLanesOfRow / 2;
  const int lane = static_cast<int>(threadIdx.x) % kLanesOfRow;
  const int at = tile.first + static_cast<int>(threadIdx.x) / kLanesOfRow;
  const size_t hidden = static_cast<size_t>(call.heads) * call.head_size;
  const T* text = static_cast<const T*>(call.qkv) + static_cast<size_t>(tile.begin) * 3 * hidden +
                  static_cast<size_t>(blockIdx.y) * call.head_size;
  PlainRow<kHeadMax> row = {};
  row.max = kNegativeMax;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    if (i >= pairs || at >= tile.length) continue;
    const Pair pair =
        LoadPair(text + static_cast<size_t>(at) * 3 * hidden + (i * kLanesOfRow + lane) * 2);
    row.query[2 * i] = pair.x;
    row.query[2 * i + 1] = pair.y;
  }
  for (int first = 0; first < tile.length; first += kPlainKeys) {
    LoadFloats(text + hidden, call, first, tile.length, &keys);
    LoadFloats(text + 2 * hidden, call, first, tile.length, &values);
    __syncthreads();
    AttendTile(keys, values, head_size, tile.length - first, &row);
    __syncthreads();
  }
  if (at >= tile.length) return;
  T* output = static_cast<T*>(call.output) + static_cast<size_t>(tile.begin + at) * hidden +
              static_cast<size_t>(blockIdx.y) * call.head_size;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    if (i >= pairs) continue;
    StorePair(output + (i * kLanesOfRow + lane) * 2,
              {row.output[2 * i] / row.sum, row.output[2 * i + 1] / row.sum});
  }
}

}  // namespace ragstone::llm::gpu

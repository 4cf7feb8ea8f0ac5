#pragma once

#include <cstddef>
#include <cstdint>

// What kernels are called with: read by the C++ compiler and by those of GPUs, so nothing but plain
// structs.
namespace ragstone::llm::gpu {

// Of weights and activations. Sums, LayerNorm and softmax are in float everywhere.
enum class Type : uint8_t { kF32, kF16, kBf16 };

inline constexpr uint32_t kRowMax = 1024;  // longest row of a normalisation

// The query rows that one block of attention threads computes.
inline constexpr uint32_t kTileRows = 64;

// Rows [first, first + kTileRows) of the text at rows [begin, begin + length) of a batch.
struct Tile {
  int32_t begin = 0, length = 0, first = 0;
};

struct TextRange {
  int32_t begin = 0, length = 0;
};

// The sizes of a batch, read by the kernels from device memory, so that a recorded graph serves all
// batches of at most its sizes.
struct BatchSizes {
  int32_t tokens = 0, tiles = 0, texts = 0;
};

// Sizes for which work is queued; the batch itself may be smaller.
struct Bucket {
  uint32_t tokens = 0;
  uint32_t tiles = 0;  // texts too: a text has a tile or more
};

// A normalisation's weights on the device; floats.
struct Norm {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float epsilon = 0;
};

// All pointers below are to device memory; rows have `hidden` values of the GPU's type, one after
// the other, unless it says otherwise. `sizes` bounds the rows that are written.

// output[t] = norm(tokens[ids[t]] + positions[positions_of[t]]).
struct EmbedCall {
  Bucket bucket;
  const BatchSizes* sizes = nullptr;
  uint32_t hidden = 0;
  const int32_t* ids = nullptr;
  const int32_t* positions_of = nullptr;
  const void* tokens = nullptr;
  const float* positions = nullptr;  // with the type embedding added
  Norm norm;
  void* output = nullptr;
};

// residual[t] = norm(residual[t] + input[t] + bias).
struct NormCall {
  Bucket bucket;
  const BatchSizes* sizes = nullptr;
  uint32_t hidden = 0;
  const void* input = nullptr;
  const float* bias = nullptr;
  void* residual = nullptr;
  Norm norm;
};

// x = gelu(x + bias), the erf form, on rows of `size` values.
struct GeluCall {
  Bucket bucket;
  const BatchSizes* sizes = nullptr;
  uint32_t size = 0;
  const float* bias = nullptr;
  void* x = nullptr;
};

// Softmax attention within each text. `qkv` has rows of 3·hidden values: queries, keys and values
// of all heads.
struct AttentionCall {
  Bucket bucket;
  const BatchSizes* sizes = nullptr;
  const Tile* tiles = nullptr;
  uint32_t heads = 0;
  uint32_t head_size = 0;
  const void* qkv = nullptr;
  void* output = nullptr;
};

// vectors[i] = mean or first row of text i, as floats; L2-normalised if asked (a zero vector
// stays).
struct PoolCall {
  Bucket bucket;
  const BatchSizes* sizes = nullptr;
  const TextRange* texts = nullptr;
  uint32_t hidden = 0;
  bool first_row = false;  // else the mean
  bool normalize = true;
  const void* x = nullptr;
  float* vectors = nullptr;
};

// output (rows × outputs) = input (rows × inputs) · weightᵀ (outputs × inputs) + bias, row-major.
// All rows are computed, whatever they hold. `bias` is of the GPU's type, or null.
struct MultiplyCall {
  uint32_t rows = 0, outputs = 0, inputs = 0;
  const void* input = nullptr;
  const void* weight = nullptr;
  const void* bias = nullptr;
  void* output = nullptr;
};

}  // namespace ragstone::llm::gpu

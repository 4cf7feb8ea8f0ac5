#pragma once

#include <cstddef>
#include <cstdint>

// The contract between the encoder and its kernels, which are compiled once for each instruction
// set (kernels_*.cc). A kernel file includes this header, kernels_simd.h and intrinsics, and
// nothing else: a function of the standard library that is compiled with AVX-512 there could be the
// one that the linker keeps for everybody.
namespace ragstone::llm {

// What activations between two products are kept as.
enum class ValueType : uint8_t { kF32, kBf16 };
// What products are computed in. Int8 is dynamic: each row of activations is scaled by its largest
// value to 8 bits unsigned around 128, each output of a weight matrix to 8 bits signed.
enum class ProductType : uint8_t { kF32, kBf16, kInt8 };

// y = W x + b with W packed for one set of kernels: panels of `panel_columns` outputs. A panel
// holds, for one group of inputs after the other, the weights of all its outputs: [inputs /
// g][outputs][g] with groups of g = 1 (F32), 2 (BF16) or 4 (int8) inputs, which is what one step of
// a kernel reads.
struct PackedLinear {
  const void* panels = nullptr;      // 64-byte aligned
  const float* bias = nullptr;       // outputs
  const float* scales = nullptr;     // int8: what an output's weights were divided by
  const int32_t* offsets = nullptr;  // int8: 128 times the sum of an output's weights
  size_t outputs = 0;
  size_t inputs = 0;
};

enum class Epilogue : uint8_t {
  kStore,  // output values = y
  kGelu,   // output values = GELU(y), with the error function
  kAdd,    // output floats += y
};

struct LinearCall {
  const void* input = nullptr;          // rows × inputs: float, BF16 or 8-bit by ProductType
  const float* input_scales = nullptr;  // int8: one for each row
  size_t rows = 0;
  const PackedLinear* linear = nullptr;
  Epilogue epilogue = Epilogue::kStore;
  void* output = nullptr;  // rows × outputs: values, or float for kAdd
};

// Softmax attention of one text over itself.
struct AttentionCall {
  const void* qkv = nullptr;  // length × 3·heads·head_size values: queries, keys, values
  size_t length = 0;
  size_t heads = 0;
  size_t head_size = 0;
  float scale = 0;          // of the scores
  void* output = nullptr;   // length × heads·head_size values
  void* scratch = nullptr;  // attention_scratch(length, head_size) bytes, 64-byte aligned
};

// LayerNorm in place; also writes the rows as the input of the next product.
struct NormCall {
  float* x = nullptr;  // rows × size
  size_t rows = 0;
  size_t size = 0;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float epsilon = 0;
  void* input = nullptr;          // rows × size by ProductType; unused for F32, whose input is x
  float* input_scales = nullptr;  // int8
};

// Values to the input of an int8 product.
struct QuantizeCall {
  const void* values = nullptr;  // rows × size
  size_t rows = 0;
  size_t size = 0;
  uint8_t* input = nullptr;
  float* input_scales = nullptr;
};

// Inputs of linear layers and of attention have room for so many rows more than there are: what
// lies there may be read and is ignored.
inline constexpr size_t kRowsBeyond = 32;

// Kernels for one instruction set. Rows are independent of each other: what a row gives depends
// neither on the number of rows nor on its place, to the last bit.
struct Kernels {
  const char* tier = nullptr;
  ProductType product = ProductType::kF32;
  ValueType value = ValueType::kF32;
  size_t panel_columns = 0;
  size_t row_block = 0;  // rows of a linear layer that are best computed at once
  void (*linear)(const LinearCall& call) = nullptr;
  void (*attention)(const AttentionCall& call) = nullptr;
  size_t (*attention_scratch)(size_t length, size_t head_size) = nullptr;
  void (*norm)(const NormCall& call) = nullptr;
  void (*quantize)(const QuantizeCall& call) = nullptr;  // int8 only
};

// Each is to be used only where the processor has its instructions (kernel_tiers.h).
const Kernels& PortableKernels();
#if defined(__x86_64__)
const Kernels& Avx2Kernels();
const Kernels& Avx512Kernels();
const Kernels& Avx512Bf16Kernels();
const Kernels& Avx512VnniKernels();
const Kernels& Avx512VnniF32Kernels();
const Kernels& AvxVnniKernels();
const Kernels& AmxBf16Kernels();
const Kernels& AmxInt8Kernels();
#endif

}  // namespace ragstone::llm

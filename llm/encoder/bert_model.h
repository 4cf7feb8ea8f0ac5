#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// How the vectors of the tokens become that of the text.
enum class Pooling : uint8_t { kMean, kCls };

// The shape of a BERT encoder: post-LayerNorm, learned absolute positions, erf-GELU, biases
// everywhere (Devlin et al. 2019; all-MiniLM, bge, e5 and gte have this form, and XLM-RoBERTa's
// multilingual-e5 and bge-m3, which differ in their tokens only).
struct BertConfig {
  uint32_t vocabulary = 0;
  uint32_t positions = 0;  // longest text in tokens
  uint32_t token_types = 0;
  uint32_t hidden = 0;
  uint32_t intermediate = 0;
  uint32_t layers = 0;
  uint32_t heads = 0;
  float norm_epsilon = 0;
  Pooling pooling = Pooling::kMean;

  uint32_t head_size() const { return hidden / heads; }
};

enum class FloatType : uint8_t { kF32, kF16, kBf16 };

// A matrix in a mapped file, row-major: `rows` outputs of `columns` inputs each.
struct FloatMatrix {
  FloatType type = FloatType::kF32;
  uint32_t rows = 0;
  uint32_t columns = 0;
  const void* values = nullptr;  // aligned to the size of a value

  // Writes one row as `columns` floats.
  void ReadRow(uint32_t row, float* out) const;
};

// y = W x + b.
struct BertLinear {
  FloatMatrix weight;
  std::vector<float> bias;
};

struct BertNorm {
  std::vector<float> gamma, beta;
};

struct BertLayer {
  BertLinear query, key, value, attention_output;
  BertNorm attention_norm;
  BertLinear up, down;
  BertNorm output_norm;
};

// The weights of a BERT encoder. Immutable once loaded.
struct BertModel {
  // Reads a GGUF file of the architecture "bert" (llama.cpp's tensor names) whose tensors are F32,
  // F16 or BF16. Names, shapes and places of all tensors are checked. INVALID_ARGUMENT:
  // MODEL_CORRUPT for wrong files; MODEL_UNSUPPORTED naming what this engine does not compute:
  // another architecture, quantised matrices, a pooling other than mean and cls, causal attention,
  // tensors of other forms of BERT, sizes outside the limits below. Errors of the file system.
  static Result<std::unique_ptr<BertModel>> Load(const std::filesystem::path& file);

  // Reads a sentence-transformers folder: what ReadSentenceTransformer says of it, and the tensors
  // of its model.safetensors. Checks and errors are the same. As in GGUF files, the position table
  // begins with the row of a text's first token, whatever the folder's counting.
  static Result<std::unique_ptr<BertModel>> LoadSafetensors(const std::filesystem::path& folder);

  BertConfig config;
  FloatMatrix token_embeddings;     // vocabulary × hidden
  FloatMatrix position_embeddings;  // positions × hidden
  FloatMatrix type_embeddings;      // token_types × hidden
  BertNorm embeddings_norm;
  std::vector<BertLayer> layers;
  std::shared_ptr<const void> storage;  // keeps what the matrices point to
};

// What the kernels ask of the sizes: whole vectors and tiles.
inline constexpr uint32_t kHiddenStep = 64;  // hidden and intermediate are multiples
inline constexpr uint32_t kHiddenMax = 1024;
inline constexpr uint32_t kIntermediateMax = 4096;
inline constexpr uint32_t kHeadSizeStep = 16;  // the head size is a multiple
inline constexpr uint32_t kHeadSizeMax = 128;
inline constexpr uint32_t kLayersMax = 64;

}  // namespace ragstone::llm

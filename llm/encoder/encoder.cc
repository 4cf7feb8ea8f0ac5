#include "llm/encoder/encoder.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/check.h"

namespace ragstone::llm {
namespace {

float* FloatsOf(const AlignedBuffer& buffer) { return reinterpret_cast<float*>(buffer.data()); }

size_t TokensOf(std::span<const std::span<const int32_t>> texts) {
  size_t tokens = 0;
  for (const std::span<const int32_t> text : texts) tokens += text.size();
  return tokens;
}

}  // namespace

Encoder::Encoder(std::shared_ptr<const BertModel> model, const Kernels& kernels,
                 const std::filesystem::path& packed_dir)
    : model_(std::move(model)), kernels_(kernels), packed_(*model_, kernels, packed_dir) {
  value_bytes_ = kernels.value == ValueType::kF32 ? 4 : 2;
  input_bytes_ = kernels.product == ProductType::kF32    ? 4
                 : kernels.product == ProductType::kBf16 ? 2
                                                         : 1;
}

Encoder::Workspace::Workspace(const Encoder& encoder, size_t tokens_max) : tokens_max_(tokens_max) {
  const BertConfig& config = encoder.model_->config;
  const size_t rows = tokens_max + kRowsBeyond;
  const size_t block = encoder.kernels_.row_block + kRowsBeyond;
  const size_t hidden = config.hidden;
  x_ = AlignedBuffer(rows * hidden * sizeof(float));
  qkv_ = AlignedBuffer(rows * 3 * hidden * encoder.value_bytes_);
  context_ = AlignedBuffer(rows * hidden * encoder.value_bytes_);
  inner_ = AlignedBuffer(block * config.intermediate * encoder.value_bytes_);
  if (encoder.kernels_.product != ProductType::kF32) {
    input_ = AlignedBuffer(rows * hidden * encoder.input_bytes_);
  }
  if (encoder.kernels_.product == ProductType::kInt8) {
    inner_input_ = AlignedBuffer(block * config.intermediate);
    scales_ = AlignedBuffer(rows * sizeof(float));
  }
  attention_ = AlignedBuffer(encoder.kernels_.attention_scratch(
      std::min<size_t>(tokens_max, config.positions), config.head_size()));
}

void Encoder::Encode(std::span<const std::span<const int32_t>> texts, Workspace* workspace,
                     float* vectors) const {
  const size_t tokens = TokensOf(texts);
  CHECK(tokens <= workspace->tokens_max_);
  Embed(texts, workspace);
  for (size_t layer = 0; layer < packed_.layers().size(); ++layer) {
    Qkv(layer, tokens, workspace);
    Attend(texts, workspace);
    for (size_t first = 0; first < tokens; first += kernels_.row_block) {
      Block(layer, first, std::min(kernels_.row_block, tokens - first), workspace);
    }
  }
  Pool(texts, FloatsOf(workspace->x_), vectors);
}

void Encoder::Embed(std::span<const std::span<const int32_t>> texts, Workspace* workspace) const {
  const size_t hidden = model_->config.hidden;
  std::vector<float> row(hidden), type(hidden);
  model_->type_embeddings.ReadRow(0, type.data());
  float* x = FloatsOf(workspace->x_);
  for (const std::span<const int32_t> text : texts) {
    for (size_t position = 0; position < text.size(); ++position, x += hidden) {
      model_->token_embeddings.ReadRow(static_cast<uint32_t>(text[position]), x);
      model_->position_embeddings.ReadRow(static_cast<uint32_t>(position), row.data());
      for (size_t i = 0; i < hidden; ++i) x[i] += row[i] + type[i];
    }
  }
  Normalize(model_->embeddings_norm, 0, TokensOf(texts), workspace);
}

void Encoder::Normalize(const BertNorm& norm, size_t first, size_t count,
                        Workspace* workspace) const {
  const size_t hidden = model_->config.hidden;
  NormCall call;
  call.x = FloatsOf(workspace->x_) + first * hidden;
  call.rows = count;
  call.size = hidden;
  call.gamma = norm.gamma.data();
  call.beta = norm.beta.data();
  call.epsilon = model_->config.norm_epsilon;
  if (kernels_.product != ProductType::kF32) {
    call.input = workspace->input_.data() + first * hidden * input_bytes_;
  }
  if (kernels_.product == ProductType::kInt8) {
    call.input_scales = FloatsOf(workspace->scales_) + first;
  }
  kernels_.norm(call);
}

void Encoder::Qkv(size_t layer, size_t tokens, Workspace* workspace) const {
  const size_t hidden = model_->config.hidden;
  const AlignedBuffer& input =
      kernels_.product == ProductType::kF32 ? workspace->x_ : workspace->input_;
  LinearCall call;
  call.linear = &packed_.layers()[layer].qkv;
  for (size_t first = 0; first < tokens; first += kernels_.row_block) {
    call.rows = std::min(kernels_.row_block, tokens - first);
    call.input = input.data() + first * hidden * input_bytes_;
    if (kernels_.product == ProductType::kInt8) {
      call.input_scales = FloatsOf(workspace->scales_) + first;
    }
    call.output = workspace->qkv_.data() + first * 3 * hidden * value_bytes_;
    kernels_.linear(call);
  }
}

void Encoder::Attend(std::span<const std::span<const int32_t>> texts, Workspace* workspace) const {
  const BertConfig& config = model_->config;
  AttentionCall call;
  call.heads = config.heads;
  call.head_size = config.head_size();
  call.scale = 1.0f / std::sqrt(static_cast<float>(call.head_size));
  call.scratch = workspace->attention_.data();
  size_t first = 0;
  for (const std::span<const int32_t> text : texts) {
    call.length = text.size();
    call.qkv = workspace->qkv_.data() + first * 3 * config.hidden * value_bytes_;
    call.output = workspace->context_.data() + first * config.hidden * value_bytes_;
    kernels_.attention(call);
    first += text.size();
  }
}

// From the output of attention to the input of the next layer.
void Encoder::Block(size_t layer, size_t first, size_t count, Workspace* workspace) const {
  const BertConfig& config = model_->config;
  const PackedModel::Layer& packed = packed_.layers()[layer];
  const bool int8 = kernels_.product == ProductType::kInt8;
  const bool f32 = kernels_.product == ProductType::kF32;
  float* scales = int8 ? FloatsOf(workspace->scales_) + first : nullptr;
  char* context = workspace->context_.data() + first * config.hidden * value_bytes_;
  float* x = FloatsOf(workspace->x_) + first * config.hidden;
  char* input = f32 ? reinterpret_cast<char*>(x)
                    : workspace->input_.data() + first * config.hidden * input_bytes_;

  LinearCall call;
  call.rows = count;
  call.input_scales = scales;
  call.input = context;
  if (int8) {
    kernels_.quantize({context, count, config.hidden, reinterpret_cast<uint8_t*>(input), scales});
    call.input = input;
  }
  call.linear = &packed.attention_output;
  call.epilogue = Epilogue::kAdd;
  call.output = x;
  kernels_.linear(call);
  Normalize(model_->layers[layer].attention_norm, first, count, workspace);

  char* inner = workspace->inner_.data();
  call.input = input;
  call.linear = &packed.up;
  call.epilogue = Epilogue::kGelu;
  call.output = inner;
  kernels_.linear(call);

  call.input = inner;
  if (int8) {
    auto* quantized = reinterpret_cast<uint8_t*>(workspace->inner_input_.data());
    kernels_.quantize({inner, count, config.intermediate, quantized, scales});
    call.input = quantized;
  }
  call.linear = &packed.down;
  call.epilogue = Epilogue::kAdd;
  call.output = x;
  kernels_.linear(call);
  Normalize(model_->layers[layer].output_norm, first, count, workspace);
}

void Encoder::Pool(std::span<const std::span<const int32_t>> texts, const float* x,
                   float* vectors) const {
  const size_t hidden = model_->config.hidden;
  std::vector<double> sums(hidden);
  for (const std::span<const int32_t> text : texts) {
    const size_t rows = model_->config.pooling == Pooling::kCls ? 1 : text.size();
    std::fill(sums.begin(), sums.end(), 0.0);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < hidden; ++i) sums[i] += x[r * hidden + i];
    }
    for (size_t i = 0; i < hidden; ++i) {
      vectors[i] = static_cast<float>(sums[i] / static_cast<double>(rows));
    }
    x += text.size() * hidden;
    vectors += hidden;
  }
}

}  // namespace ragstone::llm

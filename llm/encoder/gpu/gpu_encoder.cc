#include "llm/encoder/gpu/gpu_encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "llm/encoder/gpu/gpu_weights.h"

namespace ragstone::llm::gpu {
namespace {

static_assert(kHiddenMax <= kRowMax);

// Batches are computed as if they had the next of these sizes, so that few graphs serve all: eight
// between powers of two, and whole tiles of a matrix product.
constexpr uint32_t kBucketStepMin = 128;
constexpr uint32_t kStepsOfPower = 8;

Bucket BucketOf(uint32_t tokens, uint32_t tiles) {
  const uint32_t step = std::max(kBucketStepMin, std::bit_ceil(tokens) / 2 / kStepsOfPower);
  return {(tokens + step - 1) / step * step, std::bit_ceil(tiles)};
}

}  // namespace

// The places of a batch's parts in one stretch of memory, on the host and on the device.
struct GpuEncoder::Slot::Input {
  Input(void* base, const SlotLimits& limits) {
    auto* at = static_cast<char*>(base);
    sizes = reinterpret_cast<BatchSizes*>(at);
    ids = reinterpret_cast<int32_t*>(at + kSizesBytes);
    positions = ids + limits.tokens;
    tiles = reinterpret_cast<Tile*>(positions + limits.tokens);
    texts = reinterpret_cast<TextRange*>(tiles + TilesMax(limits));
  }
  static size_t Bytes(const SlotLimits& limits) {
    return kSizesBytes + size_t{limits.tokens} * 2 * sizeof(int32_t) +
           size_t{TilesMax(limits)} * sizeof(Tile) + size_t{limits.texts} * sizeof(TextRange);
  }
  // Each text has at most one tile that is not full.
  static uint32_t TilesMax(const SlotLimits& limits) {
    return limits.tokens / kTileRows + limits.texts;
  }

  // Returns the bucket.
  Bucket Fill(std::span<const std::span<const int32_t>> batch) const {
    BatchSizes filled;
    for (const std::span<const int32_t> text : batch) {
      const auto length = static_cast<int32_t>(text.size());
      std::copy(text.begin(), text.end(), ids + filled.tokens);
      for (int32_t i = 0; i < length; ++i) positions[filled.tokens + i] = i;
      for (int32_t first = 0; first < length; first += kTileRows) {
        tiles[filled.tiles++] = {filled.tokens, length, first};
      }
      texts[filled.texts++] = {filled.tokens, length};
      filled.tokens += length;
    }
    *sizes = filled;
    return BucketOf(static_cast<uint32_t>(filled.tokens), static_cast<uint32_t>(filled.tiles));
  }

  BatchSizes* sizes;
  int32_t* ids;
  int32_t* positions;
  Tile* tiles;
  TextRange* texts;

 private:
  static constexpr size_t kSizesBytes = 64;
};

Result<std::unique_ptr<GpuEncoder>> GpuEncoder::Create(std::shared_ptr<const BertModel> model,
                                                       Gpu* gpu, bool normalize) {
  std::unique_ptr<GpuEncoder> encoder(new GpuEncoder(model->config, gpu, normalize));
  WeightLoader loader(gpu, model->config.norm_epsilon, &encoder->memory_);
  ASSIGN_OR_RETURN(encoder->tokens_, loader.Matrices({&model->token_embeddings}, "embeddings"));
  ASSIGN_OR_RETURN(encoder->positions_, loader.Positions(*model));
  ASSIGN_OR_RETURN(encoder->embeddings_norm_, loader.Normalization(model->embeddings_norm));
  for (const BertLayer& source : model->layers) {
    Layer layer;
    const std::vector<const BertLinear*> qkv = {&source.query, &source.key, &source.value};
    ASSIGN_OR_RETURN(layer.qkv.weight, loader.Weights(qkv));
    ASSIGN_OR_RETURN(layer.qkv_bias, loader.TypedBias(qkv));
    ASSIGN_OR_RETURN(layer.attention_output.weight, loader.Weights({&source.attention_output}));
    ASSIGN_OR_RETURN(layer.attention_output.bias, loader.Floats(source.attention_output.bias));
    ASSIGN_OR_RETURN(layer.up.weight, loader.Weights({&source.up}));
    ASSIGN_OR_RETURN(layer.up.bias, loader.Floats(source.up.bias));
    ASSIGN_OR_RETURN(layer.down.weight, loader.Weights({&source.down}));
    ASSIGN_OR_RETURN(layer.down.bias, loader.Floats(source.down.bias));
    ASSIGN_OR_RETURN(layer.attention_norm, loader.Normalization(source.attention_norm));
    ASSIGN_OR_RETURN(layer.output_norm, loader.Normalization(source.output_norm));
    encoder->layers_.push_back(layer);
  }
  return encoder;
}

Result<std::unique_ptr<GpuEncoder::Slot>> GpuEncoder::NewSlot(const SlotLimits& limits,
                                                              Priority priority) const {
  auto slot = std::make_unique<Slot>();
  slot->limits_ = limits;
  const uint32_t rows = BucketOf(limits.tokens, 1).tokens;
  const size_t row = size_t{config_.hidden} * BytesOf(gpu_->info().type);
  const size_t vectors = size_t{limits.texts} * config_.hidden * sizeof(float);
  slot->input_bytes_ = Slot::Input::Bytes(limits);
  ASSIGN_OR_RETURN(slot->host_input_, gpu_->AllocateHost(slot->input_bytes_));
  ASSIGN_OR_RETURN(slot->host_vectors_, gpu_->AllocateHost(vectors));
  ASSIGN_OR_RETURN(slot->input_, gpu_->Allocate(slot->input_bytes_));
  ASSIGN_OR_RETURN(slot->x_, gpu_->Allocate(rows * row));
  ASSIGN_OR_RETURN(slot->qkv_, gpu_->Allocate(rows * row * 3));
  ASSIGN_OR_RETURN(slot->context_, gpu_->Allocate(rows * row));
  ASSIGN_OR_RETURN(slot->inner_, gpu_->Allocate(size_t{rows} * config_.intermediate *
                                                BytesOf(gpu_->info().type)));
  ASSIGN_OR_RETURN(slot->vectors_, gpu_->Allocate(vectors));
  ASSIGN_OR_RETURN(slot->queue_, gpu_->NewQueue(priority));
  return slot;
}

Status GpuEncoder::EnqueueLayer(const Layer& layer, const Bucket& bucket, Slot* slot) const {
  gpu::Queue* queue = slot->queue_.get();
  const Slot::Input input(slot->input_.get(), slot->limits_);
  const uint32_t hidden = config_.hidden;
  void* x = slot->x_.get();
  void* qkv = slot->qkv_.get();
  void* context = slot->context_.get();
  void* inner = slot->inner_.get();
  RETURN_IF_ERROR(queue->Multiply(
      {bucket.tokens, 3 * hidden, hidden, x, layer.qkv.weight, layer.qkv_bias, qkv}));
  RETURN_IF_ERROR(queue->Attend(
      {bucket, input.sizes, input.tiles, config_.heads, config_.head_size(), qkv, context}));
  // What the product of attention's output is written to is free by now.
  RETURN_IF_ERROR(queue->Multiply(
      {bucket.tokens, hidden, hidden, context, layer.attention_output.weight, nullptr, qkv}));
  RETURN_IF_ERROR(queue->Normalize(
      {bucket, input.sizes, hidden, qkv, layer.attention_output.bias, x, layer.attention_norm}));
  RETURN_IF_ERROR(queue->Multiply(
      {bucket.tokens, config_.intermediate, hidden, x, layer.up.weight, nullptr, inner}));
  RETURN_IF_ERROR(queue->Gelu({bucket, input.sizes, config_.intermediate, layer.up.bias, inner}));
  RETURN_IF_ERROR(queue->Multiply(
      {bucket.tokens, hidden, config_.intermediate, inner, layer.down.weight, nullptr, qkv}));
  return queue->Normalize(
      {bucket, input.sizes, hidden, qkv, layer.down.bias, x, layer.output_norm});
}

Status GpuEncoder::Enqueue(const Bucket& bucket, Slot* slot) const {
  const Slot::Input input(slot->input_.get(), slot->limits_);
  RETURN_IF_ERROR(
      slot->queue_->Embed({bucket, input.sizes, config_.hidden, input.ids, input.positions, tokens_,
                           positions_, embeddings_norm_, slot->x_.get()}));
  for (const Layer& layer : layers_) RETURN_IF_ERROR(EnqueueLayer(layer, bucket, slot));
  return slot->queue_->Pool({bucket, input.sizes, input.texts, config_.hidden,
                             config_.pooling == Pooling::kCls, normalize_, slot->x_.get(),
                             static_cast<float*>(slot->vectors_.get())});
}

// The first batch of a bucket is queued call by call, the second is recorded.
Status GpuEncoder::Run(const Bucket& bucket, Slot* slot) const {
  const Slot::Key key(bucket.tokens, bucket.tiles);
  const auto found = slot->graphs_.find(key);
  if (found == slot->graphs_.end()) {
    RETURN_IF_ERROR(Enqueue(bucket, slot));
    slot->graphs_.emplace(key, nullptr);
    return OkStatus();
  }
  if (found->second == nullptr) {
    RETURN_IF_ERROR(slot->queue_->BeginRecording());
    const Status queued = Enqueue(bucket, slot);
    Result<std::unique_ptr<Graph>> graph = slot->queue_->EndRecording();  // ends it in any case
    RETURN_IF_ERROR(queued);
    ASSIGN_OR_RETURN(found->second, std::move(graph));
  }
  return slot->queue_->Launch(*found->second);
}

Status GpuEncoder::Compute(const Bucket& bucket, size_t vector_bytes, Slot* slot) const {
  RETURN_IF_ERROR(
      slot->queue_->CopyIn(slot->input_.get(), slot->host_input_.get(), slot->input_bytes_));
  RETURN_IF_ERROR(Run(bucket, slot));
  return slot->queue_->CopyOut(slot->host_vectors_.get(), slot->vectors_.get(), vector_bytes);
}

Status GpuEncoder::Encode(std::span<const std::span<const int32_t>> texts, Slot* slot,
                          float* vectors) const {
  if (texts.empty()) return OkStatus();
  size_t tokens = 0;
  for (const std::span<const int32_t> text : texts) tokens += text.size();
  CHECK(tokens <= slot->limits_.tokens && texts.size() <= slot->limits_.texts);
  const Bucket bucket = Slot::Input(slot->host_input_.get(), slot->limits_).Fill(texts);
  const size_t bytes = texts.size() * config_.hidden * sizeof(float);
  const Status queued = Compute(bucket, bytes, slot);
  const Status done = slot->queue_->Wait();  // after an error too: the GPU may still read the batch
  RETURN_IF_ERROR(queued);
  RETURN_IF_ERROR(done);
  std::memcpy(vectors, slot->host_vectors_.get(), bytes);
  return OkStatus();
}

}  // namespace ragstone::llm::gpu

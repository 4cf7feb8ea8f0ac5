#include "llm/encoder/encoder_embedder.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace ragstone::llm {
namespace {

// Short texts are computed together up to so many tokens: enough for whole tiles and to use every
// weight that is read often; more would not stay in the core's cache.
constexpr uint32_t kBatchTokens = 256;

}  // namespace

EncoderEmbedder::EncoderEmbedder(std::shared_ptr<const BertModel> model, const Kernels& kernels,
                                 const EncoderEmbedderOptions& options)
    : normalize_(options.normalize), encoder_(std::move(model), kernels, options.packed_dir) {
  const BertConfig& config = encoder_.model().config;
  info_.dimensions = config.hidden;
  info_.tokens_max =
      options.tokens_max > 0 ? std::min(options.tokens_max, config.positions) : config.positions;
  info_.vocabulary = config.vocabulary;
  info_.device = std::string("CPU ") + kernels.tier;
  batch_tokens_ = std::max(kBatchTokens, info_.tokens_max);
  const uint32_t threads =
      options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  std::vector<EmbedQueue::Compute> workers(threads);
  for (EmbedQueue::Compute& worker : workers) worker = NewCompute();
  EmbedQueue::Options queue;
  queue.dimensions = info_.dimensions;
  queue.batch_tokens = kBatchTokens;
  queue_ = std::make_unique<EmbedQueue>(queue, std::move(workers), NewCompute());
}

Result<std::unique_ptr<EncoderEmbedder>> EncoderEmbedder::Create(
    std::shared_ptr<const BertModel> model, const Kernels& kernels,
    const EncoderEmbedderOptions& options) {
  std::unique_ptr<EncoderEmbedder> embedder(
      new EncoderEmbedder(std::move(model), kernels, options));
  RETURN_IF_ERROR(embedder->encoder_.Check());
  return embedder;
}

EmbedQueue::Compute EncoderEmbedder::NewCompute() const {
  // Made by the thread that uses it, so that the memory is near its core.
  auto workspace = std::make_shared<std::unique_ptr<Encoder::Workspace>>();
  return [this, workspace](EmbedQueue::Texts texts, float* vectors) {
    if (*workspace == nullptr) {
      *workspace = std::make_unique<Encoder::Workspace>(encoder_, batch_tokens_);
    }
    encoder_.Encode(texts, workspace->get(), vectors);
    const uint32_t dimensions = info_.dimensions;
    for (size_t i = 0; i < texts.size(); ++i) {
      RETURN_IF_ERROR(FinishVector({vectors + i * dimensions, dimensions}, normalize_));
    }
    return OkStatus();
  };
}

Result<EmbedderInfo> EncoderEmbedder::Info(const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  return info_;
}

Result<std::vector<float>> EncoderEmbedder::Embed(std::span<const std::vector<int32_t>> texts,
                                                  const CallContext& context) {
  RETURN_IF_ERROR(CheckTexts(texts, info_));
  return queue_->Embed(texts, context);
}

}  // namespace ragstone::llm

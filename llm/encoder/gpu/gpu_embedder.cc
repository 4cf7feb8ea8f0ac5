#include "llm/encoder/gpu/gpu_embedder.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace ragstone::llm::gpu {
namespace {

constexpr size_t kSlots = 3;
// What EmbedQueue takes for a question.
constexpr SlotLimits kQuestion = {256, 4};
// The activations of a batch are to stay in the GPU's second-level cache, as far as that leaves
// enough rows to fill the processor. A token has nine rows of them: the residual stream, queries,
// keys and values, what attention gives, and four of the feed-forward part.
constexpr uint64_t kRowsOfToken = 9;
constexpr uint32_t kBatchTokensMin = 4 * 1024;
constexpr uint32_t kBatchTokensMax = 16 * 1024;
constexpr uint64_t kMemoryShare = 4;  // all slots together take at most this part of what is free
// A text has at least so many tokens on average in a full batch.
constexpr uint32_t kTokensOfText = 8;

uint32_t BatchTokens(const Info& info, const BertConfig& config) {
  const uint64_t token = kRowsOfToken * config.hidden * BytesOf(info.type);
  const uint64_t cached = std::clamp<uint64_t>(info.cache_bytes / token / 1024 * 1024,
                                               kBatchTokensMin, kBatchTokensMax);
  const uint64_t fitting = info.memory_bytes / kMemoryShare / kSlots / token / 1024 * 1024;
  return static_cast<uint32_t>(std::max<uint64_t>(1024, std::min(cached, fitting)));
}

const char* NameOf(Type type) {
  switch (type) {
    case Type::kF16:
      return "fp16";
    case Type::kBf16:
      return "bf16";
    case Type::kF32:
      break;
  }
  return "fp32";
}

}  // namespace

Result<std::unique_ptr<GpuEmbedder>> GpuEmbedder::Create(std::shared_ptr<const BertModel> model,
                                                         std::shared_ptr<Gpu> gpu,
                                                         const GpuEmbedderOptions& options) {
  ASSIGN_OR_RETURN(auto encoder, GpuEncoder::Create(model, gpu.get(), options.normalize));
  std::unique_ptr<GpuEmbedder> embedder(new GpuEmbedder(std::move(gpu), std::move(encoder)));
  std::optional<CpuReference> reference;
  if (options.check != nullptr) {
    reference.emplace(std::move(model), *options.check, embedder->encoder_->config().positions);
  }
  RETURN_IF_ERROR(embedder->Start(options, reference ? &*reference : nullptr));
  return embedder;
}

Status GpuEmbedder::Start(const GpuEmbedderOptions& options, const CpuReference* reference) {
  const BertConfig& config = encoder_->config();
  info_.dimensions = config.hidden;
  info_.tokens_max =
      options.tokens_max > 0 ? std::min(options.tokens_max, config.positions) : config.positions;
  info_.vocabulary = config.vocabulary;
  info_.device = gpu_->info().name + " " + NameOf(gpu_->info().type);
  EmbedQueue::Options queue;
  queue.dimensions = info_.dimensions;
  queue.batch_tokens =
      options.batch_tokens > 0 ? options.batch_tokens : BatchTokens(gpu_->info(), config);
  queue.batch_texts = queue.batch_tokens / kTokensOfText;
  const SlotLimits limits{std::max(queue.batch_tokens, info_.tokens_max), queue.batch_texts};
  std::vector<EmbedQueue::Compute> workers(kSlots);
  for (EmbedQueue::Compute& worker : workers) {
    ASSIGN_OR_RETURN(worker, NewCompute(limits, Priority::kLow, reference));
  }
  ASSIGN_OR_RETURN(EmbedQueue::Compute questions,
                   NewCompute(kQuestion, Priority::kHigh, reference));
  queue_ = std::make_unique<EmbedQueue>(queue, std::move(workers), std::move(questions));
  return OkStatus();
}

Result<EmbedQueue::Compute> GpuEmbedder::NewCompute(const SlotLimits& limits, Priority priority,
                                                    const CpuReference* reference) const {
  ASSIGN_OR_RETURN(auto made, encoder_->NewSlot(limits, priority));
  std::shared_ptr<GpuEncoder::Slot> slot = std::move(made);
  const EmbedQueue::Compute compute = [this, slot](EmbedQueue::Texts texts, float* vectors) {
    RETURN_IF_ERROR(encoder_->Encode(texts, slot.get(), vectors));
    const uint32_t dimensions = info_.dimensions;
    for (size_t i = 0; i < texts.size(); ++i) {
      // The GPU has normalised them; whether they are numbers is seen here.
      RETURN_IF_ERROR(FinishVector({vectors + i * dimensions, dimensions}, false));
    }
    return OkStatus();
  };
  // This also loads the kernels, which the first question would wait for.
  if (reference != nullptr) RETURN_IF_ERROR(reference->Compare(compute, limits));
  return compute;
}

Result<EmbedderInfo> GpuEmbedder::Info(const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  return info_;
}

Result<std::vector<float>> GpuEmbedder::Embed(std::span<const std::vector<int32_t>> texts,
                                              const CallContext& context) {
  RETURN_IF_ERROR(CheckTexts(texts, info_));
  return queue_->Embed(texts, context);
}

}  // namespace ragstone::llm::gpu

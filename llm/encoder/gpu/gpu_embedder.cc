#include "llm/encoder/gpu/gpu_embedder.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ragstone::llm::gpu {
namespace {

constexpr size_t kSlots = 3;
// What EmbedQueue takes for a question.
constexpr SlotLimits kQuestion = {256, 4};
// Enough rows to fill the largest GPU; smaller batches stay in its cache. A token takes about nine
// rows of activations.
constexpr uint32_t kBatchTokensMax = 16 * 1024;
constexpr uint32_t kBatchTokensMin = 2 * 1024;
constexpr uint64_t kRowsOfToken = 9;
constexpr uint64_t kMemoryShare = 4;  // all slots together take at most this part of what is free
// A text has at least so many tokens on average in a full batch.
constexpr uint32_t kTokensOfText = 8;

uint32_t BatchTokens(const Info& info, const BertConfig& config) {
  const uint64_t token = kRowsOfToken * config.hidden * BytesOf(info.type);
  const uint64_t fitting = info.memory_bytes / kMemoryShare / kSlots / token;
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(fitting / 1024 * 1024, kBatchTokensMin, kBatchTokensMax));
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
  ASSIGN_OR_RETURN(auto encoder,
                   GpuEncoder::Create(std::move(model), gpu.get(), options.normalize));
  std::unique_ptr<GpuEmbedder> embedder(new GpuEmbedder(std::move(gpu), std::move(encoder)));
  RETURN_IF_ERROR(embedder->Start(options));
  return embedder;
}

Status GpuEmbedder::Start(const GpuEmbedderOptions& options) {
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
    ASSIGN_OR_RETURN(worker, NewCompute(limits, Priority::kLow));
  }
  ASSIGN_OR_RETURN(EmbedQueue::Compute questions, NewCompute(kQuestion, Priority::kHigh));
  // The first use of a kernel loads it, which would make the first question wait; and a device or
  // model that gives no numbers is found here.
  const std::vector<int32_t> ids(std::min<size_t>(8, info_.tokens_max), 0);
  const std::span<const int32_t> text(ids);
  std::vector<float> vector(info_.dimensions);
  RETURN_IF_ERROR(questions({&text, 1}, vector.data()));
  queue_ = std::make_unique<EmbedQueue>(queue, std::move(workers), std::move(questions));
  return OkStatus();
}

Result<EmbedQueue::Compute> GpuEmbedder::NewCompute(const SlotLimits& limits,
                                                    Priority priority) const {
  ASSIGN_OR_RETURN(auto made, encoder_->NewSlot(limits, priority));
  std::shared_ptr<GpuEncoder::Slot> slot = std::move(made);
  return EmbedQueue::Compute([this, slot](EmbedQueue::Texts texts, float* vectors) {
    RETURN_IF_ERROR(encoder_->Encode(texts, slot.get(), vectors));
    const uint32_t dimensions = info_.dimensions;
    for (size_t i = 0; i < texts.size(); ++i) {
      // The GPU has normalised them; whether they are numbers is seen here.
      RETURN_IF_ERROR(FinishVector({vectors + i * dimensions, dimensions}, false));
    }
    return OkStatus();
  });
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

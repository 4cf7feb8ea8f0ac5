#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/embed_queue.h"
#include "llm/embedder.h"
#include "llm/encoder/gpu/gpu_check.h"
#include "llm/encoder/gpu/gpu_encoder.h"
#include "llm/encoder/kernels.h"

namespace ragstone::llm::gpu {

struct GpuEmbedderOptions {
  bool normalize = true;      // L2
  uint32_t tokens_max = 0;    // longest text; 0: all positions of the model
  uint32_t batch_tokens = 0;  // of a batch of documents; 0: by the GPU's memory and cache
  // Every slot is compared with what these kernels of the CPU compute; null: it is not.
  const Kernels* check = nullptr;
};

// Embeds on a GPU. Three slots take turns, so that copies and the host's work for one batch run
// while the GPU computes another's; questions have a slot of their own with a higher priority.
class GpuEmbedder final : public Embedder {
 public:
  // Errors of GpuEncoder::Create and CpuReference::Compare.
  static Result<std::unique_ptr<GpuEmbedder>> Create(std::shared_ptr<const BertModel> model,
                                                     std::shared_ptr<Gpu> gpu,
                                                     const GpuEmbedderOptions& options);

  Result<EmbedderInfo> Info(const CallContext& context) override;
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context) override;

 private:
  GpuEmbedder(std::shared_ptr<Gpu> gpu, std::unique_ptr<GpuEncoder> encoder)
      : gpu_(std::move(gpu)), encoder_(std::move(encoder)) {}
  Status Start(const GpuEmbedderOptions& options, const CpuReference* reference);
  Result<EmbedQueue::Compute> NewCompute(const SlotLimits& limits, Priority priority,
                                         const CpuReference* reference) const;

  const std::shared_ptr<Gpu> gpu_;
  const std::unique_ptr<GpuEncoder> encoder_;
  EmbedderInfo info_;
  std::unique_ptr<EmbedQueue> queue_;  // last: its threads use all above
};

}  // namespace ragstone::llm::gpu

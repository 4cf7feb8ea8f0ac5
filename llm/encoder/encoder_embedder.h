#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/embed_queue.h"
#include "llm/embedder.h"
#include "llm/encoder/encoder.h"

namespace ragstone::llm {

struct EncoderEmbedderOptions {
  bool normalize = true;             // L2
  uint32_t tokens_max = 0;           // longest text; 0: all positions of the model
  uint32_t threads = 0;              // 0: one for each core
  std::filesystem::path packed_dir;  // where packed weights are kept; empty: nowhere
};

// Embeds with our own encoder: each thread computes whole texts, short ones together; questions
// have a thread of their own and go before documents everywhere. The vector of a text does not
// depend on what it is sent with, to the last bit.
class EncoderEmbedder final : public Embedder {
 public:
  // INVALID_ARGUMENT (MODEL_CORRUPT) if weights are no numbers.
  static Result<std::unique_ptr<EncoderEmbedder>> Create(std::shared_ptr<const BertModel> model,
                                                         const Kernels& kernels,
                                                         const EncoderEmbedderOptions& options);

  Result<EmbedderInfo> Info(const CallContext& context) override;
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context) override;

 private:
  EncoderEmbedder(std::shared_ptr<const BertModel> model, const Kernels& kernels,
                  const EncoderEmbedderOptions& options);
  EmbedQueue::Compute NewCompute() const;

  EmbedderInfo info_;
  bool normalize_ = true;
  uint32_t batch_tokens_ = 0;
  Encoder encoder_;
  std::unique_ptr<EmbedQueue> queue_;  // last: its threads use all above
};

}  // namespace ragstone::llm

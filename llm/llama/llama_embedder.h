#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/embedder.h"

namespace ragstone::llm {

struct LlamaEmbedderOptions {
  std::string pooling;      // "mean", "cls" or "last"; empty: what the file says
  bool normalize = true;    // L2
  uint32_t tokens_max = 0;  // longest text; 0: as trained
  uint32_t threads = 0;     // 0: one for each core
  int32_t gpu_layers = 0;
};

// Embeds on every core with one single-threaded llama.cpp context each, which share the weights. A
// request is cut into batches of about 256 tokens; small requests overtake the batches that wait
// and have a context of their own, so a query never waits for an ingest. On CPUs the vector of a
// text does not depend on what it is sent with, to the last bit. At most 64 requests wait; more are
// RESOURCE_EXHAUSTED (QUEUE_FULL).
class LlamaEmbedder final : public Embedder {
 public:
  static Result<std::unique_ptr<LlamaEmbedder>> Load(const std::filesystem::path& file,
                                                     const LlamaEmbedderOptions& options);
  ~LlamaEmbedder() override;

  Result<EmbedderInfo> Info(const CallContext& context) override;
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context) override;

 private:
  class Impl;
  explicit LlamaEmbedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ragstone::llm

#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "llm/embedder.h"
#include "services/workers/process_slot.h"

namespace ragstone::services {

// An Embedder in a worker process. Thread-safe.
class RemoteEmbedder : public llm::Embedder {
 public:
  explicit RemoteEmbedder(std::unique_ptr<ProcessSlot> slot) : slot_(std::move(slot)) {}

  Result<llm::EmbedderInfo> Info(const CallContext& context) override;
  // Sends the texts in several requests where they are many, so that no message is large and a
  // short request of another caller is not kept waiting.
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context) override;

  ProcessSlot* slot() const { return slot_.get(); }

 private:
  Status EmbedPiece(std::span<const std::vector<int32_t>> texts, const CallContext& context,
                    std::vector<float>* values);

  const std::unique_ptr<ProcessSlot> slot_;
  Mutex mutex_;
  std::optional<llm::EmbedderInfo> info_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::services

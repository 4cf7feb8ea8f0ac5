#pragma once

#include <memory>
#include <optional>

#include "base/mutex.h"
#include "llm/generator.h"
#include "services/workers/process_slot.h"

namespace ragstone::services {

// A Generator in a worker process. Thread-safe; the worker takes one request after the other.
class RemoteGenerator : public llm::Generator {
 public:
  explicit RemoteGenerator(std::unique_ptr<ProcessSlot> slot) : slot_(std::move(slot)) {}

  Result<llm::GeneratorInfo> Info(const CallContext& context) override;
  Result<std::vector<uint32_t>> CountTokens(std::span<const std::string> texts,
                                            const CallContext& context) override;
  Result<llm::GenerateResult> Generate(const llm::GenerateRequest& request,
                                       const std::function<Status(std::string_view)>& on_text,
                                       const CallContext& context) override;

  ProcessSlot* slot() const { return slot_.get(); }

 private:
  const std::unique_ptr<ProcessSlot> slot_;
  Mutex mutex_;
  std::optional<llm::GeneratorInfo> info_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::services

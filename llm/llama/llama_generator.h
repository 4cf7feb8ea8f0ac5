#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/generator.h"

namespace ragstone::llm {

struct LlamaGeneratorOptions {
  uint32_t context_tokens = 0;  // 0: as trained, at most 4096
  uint32_t threads = 0;         // 0: one for each core
  int32_t gpu_layers = 0;
};

// Generates with llama.cpp, one request after the other. The beginning that a prompt shares with
// the one before is not computed again. At most 32 requests wait; more are RESOURCE_EXHAUSTED
// (QUEUE_FULL).
class LlamaGenerator final : public Generator {
 public:
  static Result<std::unique_ptr<LlamaGenerator>> Load(const std::filesystem::path& file,
                                                      const LlamaGeneratorOptions& options);
  ~LlamaGenerator() override;

  Result<GeneratorInfo> Info(const CallContext& context) override;
  Result<std::vector<uint32_t>> CountTokens(std::span<const std::string> texts,
                                            const CallContext& context) override;
  Result<GenerateResult> Generate(const GenerateRequest& request,
                                  const std::function<Status(std::string_view)>& on_text,
                                  const CallContext& context) override;

 private:
  class Impl;
  explicit LlamaGenerator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ragstone::llm

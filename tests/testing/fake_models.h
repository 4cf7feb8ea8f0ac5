#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/embedder.h"
#include "llm/generator.h"

namespace ragstone::testing {

inline constexpr uint32_t kFakeDimensions = 64;

// Vectors from hashed runs of three token ids: equal texts get equal vectors, texts that share
// words similar ones. Deterministic and thread-safe.
class FakeEmbedder : public llm::Embedder {
 public:
  Result<llm::EmbedderInfo> Info(const CallContext& context) override;
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context) override;

  std::atomic<uint64_t> texts_embedded{0};
  std::atomic<uint64_t> calls{0};
  // Called before each batch; an error is returned as the batch's.
  std::function<Status()> before_embed;
};

// Chooses the span source that shares most words with the end of the prompt and returns its first
// words; without sources, repeats the end of the prompt. Deterministic and thread-safe.
class FakeGenerator : public llm::Generator {
 public:
  Result<llm::GeneratorInfo> Info(const CallContext& context) override;
  Result<std::vector<uint32_t>> CountTokens(std::span<const std::string> texts,
                                            const CallContext& context) override;
  Result<llm::GenerateResult> Generate(const llm::GenerateRequest& request,
                                       const std::function<Status(std::string_view)>& on_text,
                                       const CallContext& context) override;
  std::function<Status()> before_generate;
};

}  // namespace ragstone::testing

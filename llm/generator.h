#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"

namespace ragstone::llm {

struct GeneratorInfo {
  uint32_t context_tokens = 0;
  std::string chat_template;
  uint64_t parameters = 0;
  std::string device;
};

struct PromptPart {
  std::string text;
  bool control = false;  // control tokens in the text count as such; never for foreign text
};

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

struct GenerateRequest {
  std::vector<PromptPart> prompt;     // or
  std::vector<ChatMessage> messages;  // for the model's own chat template
  uint32_t tokens_max = 256;
  std::vector<std::string> stop;
  float temperature = 0;  // 0: greedy
  uint32_t seed = 0;
  // If set, the output is one span of one of these texts at word boundaries, or an alternative.
  std::vector<std::string> span_sources;
  std::vector<std::string> alternatives;
  uint32_t span_words_max = 16;
  std::string score_continuation;  // if set, only its log-probability is computed
};

struct GenerateResult {
  std::string finish_reason;  // "stop", "length", "span"
  uint32_t prompt_tokens = 0;
  uint32_t reused_tokens = 0;
  uint32_t generated_tokens = 0;
  double prompt_ms = 0;
  double generate_ms = 0;
  double logprob = 0;  // mean per token, of a span or a scored continuation
  int32_t span_source = -1;
  uint32_t span_begin = 0, span_end = 0;
  double alternative_logprob = 0;
};

// Continues prompts with a language model. Thread-safe; requests run one after the other.
class Generator {
 public:
  virtual ~Generator() = default;
  virtual Result<GeneratorInfo> Info(const CallContext& context) = 0;
  virtual Result<std::vector<uint32_t>> CountTokens(std::span<const std::string> texts,
                                                    const CallContext& context) = 0;
  // Calls `on_text` with whole UTF-8 characters as they come. INVALID_ARGUMENT (QUERY_TOO_LONG) if
  // prompt and tokens_max do not fit.
  virtual Result<GenerateResult> Generate(const GenerateRequest& request,
                                          const std::function<Status(std::string_view)>& on_text,
                                          const CallContext& context) = 0;
};

}  // namespace ragstone::llm

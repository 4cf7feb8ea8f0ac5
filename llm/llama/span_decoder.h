#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/llama/session.h"
#include "llm/llama/token_table.h"
#include "llm/span_matcher.h"

namespace ragstone::llm {

// Sequences that a Session needs for DecodeSpan.
constexpr uint32_t kSpanBeams = 6;
constexpr uint32_t kSpanSequences = 2 * kSpanBeams + 1;

struct SpanDecodeOptions {
  uint32_t prompt_tokens = 0;  // what the session's prompt has
  uint32_t tokens_max = 0;     // longest span
  std::vector<std::string> stop;
};

struct SpanChoice {
  SpanMatcher::Span span;
  double logprob = 0;   // mean per token, the end included
  uint32_t tokens = 0;  // computed along the way
};

// Finds the span that the model holds most likely as the whole continuation of the session's
// prompt: the product of its tokens' probabilities and of the end after it. A beam search, which
// stops once no unfinished span can become likelier than the best finished one. Deterministic.
// FAILED_PRECONDITION if the sources hold no span at all.
Result<SpanChoice> DecodeSpan(Session* session, const TokenTable& table, const SpanMatcher& matcher,
                              const SpanDecodeOptions& request, const CallContext& context);

}  // namespace ragstone::llm

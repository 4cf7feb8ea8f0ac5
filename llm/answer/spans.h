#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/answer/answerer.h"
#include "llm/answer/evidence.h"
#include "llm/answer/question.h"

namespace ragstone::llm {

// A span of a passage chosen by the language model as the answer.
struct ShortAnswer {
  size_t sentence = 0;          // index into Evidence::sentences
  uint32_t begin = 0, end = 0;  // bytes of the passage's text
  double logprob = 0;           // mean per token, of the span
  double refusal_logprob = 0;   // the same of the refusal in its place
};

// What the language model needs to choose.
struct SpanRequest {
  const Question* question = nullptr;
  const std::vector<EvidencePassage>* passages = nullptr;
  const Evidence* evidence = nullptr;
  GeneratorInfo model;
  bool weak = true;  // few examples and one sentence at a time instead of a conversation
};

// Milliseconds and tokens spent in the model.
struct ModelTime {
  double prompt_ms = 0, generate_ms = 0;
};

// Lets the model choose the span that answers, from the best sentences; nothing if there is no
// sentence that fits. INVALID_ARGUMENT (QUERY_TOO_LONG) if the question leaves no room for
// evidence.
Result<std::optional<ShortAnswer>> ChooseSpan(const SpanRequest& request, Generator& generator,
                                              const CallContext& context, ModelTime& time);

}  // namespace ragstone::llm

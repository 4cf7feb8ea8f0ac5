#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/answer/answerer.h"
#include "llm/answer/evidence.h"
#include "llm/answer/extract.h"
#include "llm/answer/question.h"
#include "llm/answer/spans.h"

namespace ragstone::llm {

struct ProseRequest {
  const Question* question = nullptr;
  const std::vector<EvidencePassage>* passages = nullptr;
  const Evidence* evidence = nullptr;
  GeneratorInfo model;
  uint32_t answer_tokens_max = 256;
};

// Lets a model of some size write the answer over numbered evidence. Each sentence is checked
// before it is handed to `piece`: one that no evidence supports is dropped, a citation that does
// not support its sentence is replaced by the evidence that does. Nothing may come out; then the
// caller extracts.
Status WriteProse(const ProseRequest& request, Generator& generator,
                  const std::function<Status(const AnswerPiece&)>& piece,
                  const CallContext& context, ModelTime& time);

// The numbers in "[2]" and "[1, 3]" of a sentence, and the sentence without them.
struct CitedSentence {
  std::string text;
  std::vector<uint32_t> numbers;
};
CitedSentence SplitCitations(std::string_view sentence);

// Share of the meaningful words of `sentence` that `evidence` has too; 0 if there are none.
double LexicalSupport(std::string_view sentence, std::string_view evidence);

}  // namespace ragstone::llm

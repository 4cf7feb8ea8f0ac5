#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/answer/answerer.h"
#include "llm/answer/question.h"
#include "llm/answer/units.h"

namespace ragstone::llm {

// A unit of a passage with what speaks for it as an answer.
struct EvidenceSentence : EvidenceUnit {
  uint32_t passage = 0;
  uint32_t place = 0;        // place among the sentences of its passage
  double cosine = 0;         // with the question
  double coverage = 0;       // share of the question's words in it, by their rarity
  double near_coverage = 0;  // the same with its neighbours and headings
  double of_kind = 0;        // 1: holds a date, number or name as asked for
  double passage_score = 0;  // cosine of its passage
  double rank = 0;           // 1 for the first passage, falling
  bool repeats = false;      // a heading, or nothing but words of the question
  double score = 0;          // all of these, weighted
};

// What was selected from the passages.
struct Evidence {
  std::vector<EvidenceSentence> sentences;  // best first
  double passage_coverage =
      0;                // best share of the question's words in one passage and its headings
  double coverage = 0;  // share of them in the best three sentences together
};

// Scores the sentences of the passages and returns the best of them. Stops with CANCELLED or
// DEADLINE_EXCEEDED between steps; errors of the services pass through.
Result<Evidence> SelectEvidence(const Question& question,
                                const std::vector<EvidencePassage>& passages,
                                const AnswerServices& services, const CallContext& context);

}  // namespace ragstone::llm

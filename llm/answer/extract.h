#pragma once

#include <string>
#include <vector>

#include "llm/answer/answerer.h"
#include "llm/answer/evidence.h"
#include "llm/answer/spans.h"

namespace ragstone::llm {

// A piece of an answer: text and the citation that follows it.
struct AnswerPiece {
  std::string text;  // no "[n]" in it
  AnswerCitation citation;
};

// The answer made of sentences that hold the short answer, verbatim but for white space and
// the heads of a table's columns, in document order, each once, at most three.
std::vector<AnswerPiece> ExtractAnswer(const ShortAnswer& chosen, const Evidence& evidence,
                                       const std::vector<EvidencePassage>& passages);

// The short answer alone, cited by its sentence.
std::vector<AnswerPiece> ShortPiece(const ShortAnswer& chosen, const Evidence& evidence,
                                    const std::vector<EvidencePassage>& passages);

}  // namespace ragstone::llm

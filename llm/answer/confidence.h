#pragma once

#include <map>
#include <string>
#include <vector>

#include "llm/answer/answerer.h"
#include "llm/answer/evidence.h"
#include "llm/answer/spans.h"

namespace ragstone::llm {

// What is known when it is decided whether to answer.
struct ConfidenceInput {
  const Question* question = nullptr;
  const std::vector<EvidencePassage>* passages = nullptr;
  const Evidence* evidence = nullptr;
  const ShortAnswer* span = nullptr;  // null: the model chose none
};

// The signals by name, each roughly between 0 and 1.
std::map<std::string, double> ConfidenceSignals(const ConfidenceInput& input);

// How likely the evidence holds the answer, 0 to 1: a logistic model, halved where a number or date
// is asked for and the chosen unit has none. Without evidence or span it is 0.
double Confidence(const ConfidenceInput& input);

}  // namespace ragstone::llm

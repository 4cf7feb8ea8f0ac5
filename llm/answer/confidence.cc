#include "llm/answer/confidence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace ragstone::llm {
namespace {

// Logistic model. Fitted by tests/eval/fit_abstention.py; see docs/BENCHMARKS.md for its error rates.
struct Coefficient {
  std::string_view signal;
  double weight;
};

// For models of less than 500 million parameters.
constexpr std::array kWeak = {
    Coefficient{"bias", -6.0},           Coefficient{"sentence_cosine", 4.0},
    Coefficient{"passage_cosine", 2.0},  Coefficient{"coverage", 2.0},
    Coefficient{"passage_coverage", 2.5}, Coefficient{"of_kind", 0.5},
    Coefficient{"span_logprob", 0.3},    Coefficient{"refusal_margin", 0.1},
};

// For larger models, whose log-probabilities were not fitted: the evidence alone.
constexpr std::array kEvidenceOnly = {
    Coefficient{"bias", -6.0},
    Coefficient{"sentence_cosine", 4.0},
    Coefficient{"passage_cosine", 2.0},
    Coefficient{"coverage", 2.0},
    Coefficient{"passage_coverage", 2.5},
    Coefficient{"of_kind", 0.5},
};

template <size_t kCount>
double Logistic(const std::array<Coefficient, kCount>& table,
                const std::map<std::string, double>& signals) {
  double sum = 0;
  for (const Coefficient& coefficient : table) {
    sum += coefficient.weight * signals.at(std::string(coefficient.signal));
  }
  return 1 / (1 + std::exp(-sum));
}

}  // namespace

std::map<std::string, double> ConfidenceSignals(const ConfidenceInput& input) {
  std::map<std::string, double> signals = {{"bias", 1}};
  double sentence = 0, passage = 0, second = 0;
  for (const EvidenceSentence& s : input.evidence->sentences) {
    if (s.cosine > sentence) {
      second = sentence;
      sentence = s.cosine;
    } else {
      second = std::max(second, s.cosine);
    }
  }
  for (const EvidencePassage& p : *input.passages) passage = std::max(passage, p.vector_score);
  signals["sentence_cosine"] = sentence;
  signals["sentence_gap"] = sentence - second;
  signals["passage_cosine"] = passage;
  signals["coverage"] = input.evidence->coverage;
  signals["passage_coverage"] = input.evidence->passage_coverage;
  const bool kind_asked = input.question->kind != AnswerKind::kAny;
  const EvidenceSentence* chosen =
      input.span == nullptr ? nullptr : &input.evidence->sentences[input.span->sentence];
  signals["of_kind"] = !kind_asked ? 0.5 : (chosen != nullptr ? chosen->of_kind : 0);
  signals["chosen_cosine"] = chosen != nullptr ? chosen->cosine : 0;
  signals["chosen_coverage"] = chosen != nullptr ? chosen->coverage : 0;
  signals["chosen_near_coverage"] = chosen != nullptr ? chosen->near_coverage : 0;
  signals["chosen_rank"] = chosen != nullptr ? chosen->rank : 0;
  signals["span_logprob"] = input.span != nullptr ? std::max(input.span->logprob, -10.0) : -10;
  signals["refusal_margin"] =
      input.span != nullptr
          ? std::clamp(input.span->logprob - input.span->refusal_logprob, -10.0, 10.0)
          : 0;
  return signals;
}

double Confidence(const ConfidenceInput& input) {
  if (input.span == nullptr || input.evidence->sentences.empty()) return 0;
  const auto signals = ConfidenceSignals(input);
  return input.weak ? Logistic(kWeak, signals) : Logistic(kEvidenceOnly, signals);
}

}  // namespace ragstone::llm

#include "llm/answer/confidence.h"

#include <gtest/gtest.h>

namespace ragstone::llm {
namespace {

struct Case {
  Question question = ReadQuestion("When was the mill built?");
  std::vector<EvidencePassage> passages = std::vector<EvidencePassage>(1);
  Evidence evidence;
  ShortAnswer span{0, 0, 4, -0.5, -3};

  Case() {
    passages[0].text = "1931";
    evidence.sentences.resize(1);
  }
  ConfidenceInput Input() { return {&question, &passages, &evidence, &span}; }
};

TEST(Confidence, IsZeroWithoutSpanOrEvidence) {
  Case c;
  ConfidenceInput input = c.Input();
  input.span = nullptr;
  EXPECT_EQ(Confidence(input), 0);
  c.evidence.sentences.clear();
  EXPECT_EQ(Confidence(c.Input()), 0);
}

TEST(Confidence, GrowsWithTheEvidenceAndStaysAProbability) {
  Case c;
  const double nothing = Confidence(c.Input());
  c.evidence.sentences[0].cosine = 0.9;
  c.passages[0].vector_score = 0.8;
  c.evidence.coverage = c.evidence.passage_coverage = 1;
  c.evidence.sentences[0].of_kind = 1;
  c.evidence.sentences[0].coverage = c.evidence.sentences[0].near_coverage = 1;
  const double all = Confidence(c.Input());
  EXPECT_GT(nothing, 0);
  EXPECT_LT(nothing, 0.2);
  EXPECT_GT(all, 0.8);
  EXPECT_LT(all, 1);
}

TEST(Confidence, IsHalvedWhereTheDateThatIsAskedForIsMissing) {
  Case with, without;
  with.evidence.sentences[0].of_kind = 1;
  EXPECT_DOUBLE_EQ(Confidence(without.Input()), Confidence(with.Input()) / 2);
  without.question = ReadQuestion("Who built the mill?");
  EXPECT_DOUBLE_EQ(Confidence(without.Input()), Confidence(with.Input()));
}

TEST(Confidence, KeepsWildLogProbabilitiesInBounds) {
  Case c;
  c.span.logprob = -1e300;
  c.span.refusal_logprob = 1e300;
  const auto signals = ConfidenceSignals(c.Input());
  EXPECT_GE(signals.at("span_logprob"), -10);
  EXPECT_GE(signals.at("refusal_margin"), -10);
}

}  // namespace
}  // namespace ragstone::llm

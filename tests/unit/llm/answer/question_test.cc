#include "llm/answer/question.h"

#include <gtest/gtest.h>

#include <random>

namespace ragstone::llm {
namespace {

std::vector<std::string> Texts(const std::string& text, const std::string& question) {
  std::vector<std::string> out;
  for (const Stretch& s : CandidateStretches(text, ReadQuestion(question)).stretches) {
    out.push_back(text.substr(s.begin, s.end - s.begin));
  }
  return out;
}

TEST(Question, KnowsWhatKindOfAnswerIsAskedFor) {
  EXPECT_EQ(ReadQuestion("When was it built?").kind, AnswerKind::kTime);
  EXPECT_EQ(ReadQuestion("In what year did it open?").kind, AnswerKind::kTime);
  EXPECT_EQ(ReadQuestion("How many rooms are there?").kind, AnswerKind::kNumber);
  EXPECT_EQ(ReadQuestion("By whom was it made?").kind, AnswerKind::kName);
  EXPECT_EQ(ReadQuestion("Where is the pump?").kind, AnswerKind::kPlace);
  EXPECT_EQ(ReadQuestion("Wann wurde es gebaut?").kind, AnswerKind::kTime);
  EXPECT_EQ(ReadQuestion("What is the pump made of?").kind, AnswerKind::kAny);
}

TEST(Question, KeepsTheWordsThatCarryMeaning) {
  EXPECT_EQ(ReadQuestion(" What is the\ncapital of Norway?").content,
            (std::vector<std::string>{"capital", "norway"}));
}

TEST(Question, HasNoWordsForSignsOnly) { EXPECT_TRUE(ReadQuestion(" ?! ").words.empty()); }

TEST(Candidates, LeaveOutTheWordsOfTheQuestion) {
  EXPECT_EQ(Texts("The capital of Norway is Oslo.", "What is the capital of Norway?"),
            (std::vector<std::string>{"Oslo"}));
}

TEST(Candidates, NarrowToDates) {
  EXPECT_EQ(Texts("The old mill was built by monks on 4 May 1931 near Turin.",
                  "When was the mill built?"),
            (std::vector<std::string>{"4 May 1931"}));
}

TEST(Candidates, NarrowToNumbersWithTheirUnits) {
  EXPECT_EQ(Texts("It costs $1,200 per year or 5.5% of sales.", "How much is it?"),
            (std::vector<std::string>{"$1,200", "5.5%"}));
  EXPECT_EQ(Texts("The unit weighs 14 kg when empty.", "How heavy is the unit?"),
            (std::vector<std::string>{"14 kg"}));
}

TEST(Candidates, NarrowToNames) {
  EXPECT_EQ(Texts("The bridge was opened by mayor Ida Brandt and the King of Norway.",
                  "Who opened the bridge?"),
            (std::vector<std::string>{"Ida Brandt and the King of Norway"}));
}

TEST(Candidates, FallBackToEverythingWhenNothingIsOfTheKind) {
  const auto candidates =
      CandidateStretches("it was built by monks", ReadQuestion("When was it built?"));
  EXPECT_FALSE(candidates.of_kind);
  EXPECT_FALSE(candidates.stretches.empty());
}

TEST(Candidates, AreTheWholeTextWhenItIsTheQuestion) {
  EXPECT_EQ(Texts("capital of Norway", "capital of Norway"),
            (std::vector<std::string>{"capital of Norway"}));
}

std::string Whole(const std::string& text, const std::string& part, const std::string& question) {
  const auto begin = static_cast<uint32_t>(text.find(part));
  const Stretch s =
      WholeName(text, {begin, begin + static_cast<uint32_t>(part.size())}, ReadQuestion(question));
  return text.substr(s.begin, s.end - s.begin);
}

TEST(WholeName, WidensNamesAndQuantities) {
  EXPECT_EQ(Whole("led by Osman bin Harun since", "Osman", "Who led it?"), "Osman bin Harun");
  EXPECT_EQ(Whole("by Ida Brandt.", "Brandt", "Who?"), "Ida Brandt");
  EXPECT_EQ(Whole("some 3 million people", "3", "How many?"), "3 million");
  EXPECT_EQ(Whole("glass fibre mats", "glass", "What?"), "glass");
}

TEST(WholeName, StopsAtTheQuestionsOwnWords) {
  EXPECT_EQ(Whole("King Olaf Harbour", "Olaf", "Which king has a harbour?"), "Olaf");
}

TEST(WholeName, LeavesAnEmptyStretchAlone) {
  const Stretch s = WholeName("", {0, 0}, ReadQuestion("who"));
  EXPECT_EQ(s.begin, s.end);
}

TEST(Candidates, StayInsideRandomTexts) {
  constexpr uint32_t kSeed = 5;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const std::string alphabet = "aB1. ,$%\xC3\xA9\n中[(-";
  for (int round = 0; round < 2000; ++round) {
    std::string text(1 + random() % 50, ' ');
    for (char& c : text) c = alphabet[random() % alphabet.size()];
    for (const char* question : {"when a", "how many b", "who c", "what d"}) {
      uint32_t previous = 0;
      for (const Stretch& s : CandidateStretches(text, ReadQuestion(question)).stretches) {
        ASSERT_LT(s.begin, s.end);
        ASSERT_LE(s.end, text.size());
        ASSERT_GE(s.end, previous);
        previous = s.begin;
      }
    }
  }
}

}  // namespace
}  // namespace ragstone::llm

#include "llm/answer/evidence.h"

#include <gtest/gtest.h>

#include "tests/unit/llm/answer/fakes.h"

namespace ragstone::llm {
namespace {

Evidence Select(const std::string& question, const std::vector<EvidencePassage>& passages) {
  FakeGenerator generator;
  const auto evidence =
      SelectEvidence(ReadQuestion(question), passages, FakeServices(&generator), CallContext());
  EXPECT_TRUE(evidence.ok()) << evidence.status().ToString();
  return evidence.ok() ? *evidence : Evidence{};
}

std::string Text(const EvidenceSentence& s, const std::vector<EvidencePassage>& passages) {
  return passages[s.passage].text.substr(s.begin, s.end - s.begin);
}

TEST(Evidence, PutsTheSentenceThatSharesTheQuestionsWordsFirst) {
  const std::vector<EvidencePassage> passages = {
      PassageOf("The garden is large. The pump needs oil every month. Birds sing.")};
  const Evidence evidence = Select("How often does the pump need oil?", passages);
  ASSERT_EQ(evidence.sentences.size(), 3u);
  EXPECT_EQ(Text(evidence.sentences[0], passages), "The pump needs oil every month.");
  EXPECT_GT(evidence.coverage, 0.4);
}

TEST(Evidence, TakesTheSameSentenceOfADocumentOnce) {
  const std::vector<EvidencePassage> passages = {PassageOf("One pump. Two pumps."),
                                                 PassageOf("Two  pumps. Three pumps.", 0.7, 1, 1),
                                                 PassageOf("Two pumps.", 0.6, 2)};
  EXPECT_EQ(Select("pumps", passages).sentences.size(), 4u);
}

TEST(Evidence, CountsHeadingsForTheSentencesBelowThem) {
  std::vector<EvidencePassage> passages = {PassageOf("It weighs 14 kg.")};
  const double without = Select("What does the pump weigh?", passages).passage_coverage;
  passages[0].heading = "Pump > Data";
  EXPECT_GT(Select("What does the pump weigh?", passages).passage_coverage, without);
}

TEST(Evidence, CutsSentencesThatAreTooLongAtSpaces) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "word" + std::to_string(i) + " ";
  const std::vector<EvidencePassage> passages = {PassageOf(text)};
  const Evidence evidence = Select("word7", passages);
  EXPECT_GT(evidence.sentences.size(), 3u);
  for (const EvidenceSentence& s : evidence.sentences) {
    EXPECT_LE(s.end - s.begin, 600u);
    EXPECT_TRUE(s.begin == 0 || text[s.begin - 1] == ' ');
  }
}

TEST(Evidence, CutsLongTextWithoutSpacesBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "字";
  const std::vector<EvidencePassage> passages = {PassageOf(text)};
  for (const EvidenceSentence& s : Select("字", passages).sentences) {
    EXPECT_NE(text[s.begin] & 0xC0, 0x80);
  }
}

TEST(Evidence, IsEmptyForPassagesWithoutWords) {
  EXPECT_TRUE(Select("pump", {}).sentences.empty());
  EXPECT_TRUE(Select("pump", {PassageOf(""), PassageOf(" \n-- ")}).sentences.empty());
}

TEST(Evidence, EmbedsALimitedNumberOfSentences) {
  std::vector<EvidencePassage> passages;
  for (uint32_t p = 0; p < 30; ++p) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      text += "Item " + std::to_string(p) + "x" + std::to_string(i) + " is here. ";
    }
    passages.push_back(PassageOf(text, 0.5, p));
  }
  FakeGenerator generator;
  AnswerServices services = FakeServices(&generator);
  size_t embedded = 0;
  const auto embed = services.embed;
  services.embed = [&](const std::vector<std::string>& texts, bool is_query) {
    embedded += texts.size();
    return embed(texts, is_query);
  };
  ASSERT_TRUE(
      SelectEvidence(ReadQuestion("Where is item 3?"), passages, services, CallContext()).ok());
  EXPECT_LE(embedded, 64u);
}

TEST(Evidence, PassesErrorsOfTheServicesOn) {
  FakeGenerator generator;
  AnswerServices services = FakeServices(&generator);
  services.embed = [](const std::vector<std::string>&, bool) {
    return Result<std::vector<std::vector<float>>>(
        Unavailable(Reason::kWorkerUnavailable, "no worker"));
  };
  const auto evidence =
      SelectEvidence(ReadQuestion("pump"), {PassageOf("The pump.")}, services, CallContext());
  EXPECT_EQ(evidence.status().reason(), Reason::kWorkerUnavailable);
}

TEST(Evidence, RefusesAWrongNumberOfVectors) {
  FakeGenerator generator;
  AnswerServices services = FakeServices(&generator);
  services.embed = [](const std::vector<std::string>&, bool) {
    return Result<std::vector<std::vector<float>>>(std::vector<std::vector<float>>{});
  };
  EXPECT_FALSE(
      SelectEvidence(ReadQuestion("pump"), {PassageOf("The pump.")}, services, CallContext()).ok());
}

}  // namespace
}  // namespace ragstone::llm

// Runs tests/cases/answer: reading of questions, candidates and the choice of sentences.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "llm/answer/evidence.h"
#include "llm/answer/question.h"
#include "tests/unit/llm/answer/fakes.h"

namespace ragstone::llm {
namespace {

using Record = std::map<std::string, std::string>;

std::vector<Record> ReadCases(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Record> records(1);
  for (std::string line; std::getline(file, line);) {
    if (line == "---") {
      records.emplace_back();
      continue;
    }
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string& value = records.back()[line.substr(0, colon)];
    value += (value.empty() ? "" : "\n") + line.substr(colon + 2);
  }
  return records;
}

const std::map<std::string, AnswerKind> kKinds = {
    {"any", AnswerKind::kAny},     {"time", AnswerKind::kTime}, {"number", AnswerKind::kNumber},
    {"money", AnswerKind::kMoney}, {"code", AnswerKind::kCode}, {"name", AnswerKind::kName},
    {"place", AnswerKind::kPlace}};

void Check(const Record& record) {
  SCOPED_TRACE(record.at("question"));
  const Question question = ReadQuestion(record.at("question"));
  const std::string& text = record.at("text");
  EXPECT_EQ(question.kind, kKinds.at(record.at("kind")));
  if (record.contains("candidates")) {
    std::string found;
    for (const Stretch& s : CandidateStretches(text, question).stretches) {
      found += (found.empty() ? "" : " | ") + text.substr(s.begin, s.end - s.begin);
    }
    EXPECT_EQ(found, record.at("candidates"));
  }
  FakeGenerator generator;
  const auto evidence =
      SelectEvidence(question, {PassageOf(text)}, FakeServices(&generator), CallContext());
  ASSERT_TRUE(evidence.ok());
  ASSERT_FALSE(evidence->sentences.empty());
  const EvidenceSentence& best = evidence->sentences[0];
  EXPECT_EQ(text.substr(best.begin, best.end - best.begin), record.at("best"));
}

TEST(AnswerCases, HoldForEveryRecord) {
  size_t records = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(RAGSTONE_SOURCE_DIR) / "tests/cases/answer")) {
    if (entry.path().extension() != ".case") continue;
    for (const Record& record : ReadCases(entry.path())) {
      Check(record);
      ++records;
    }
  }
  EXPECT_GE(records, 7u);
}

}  // namespace
}  // namespace ragstone::llm

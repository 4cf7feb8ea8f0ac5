// Kills a process that writes to the database at seeded random moments and opens what it left:
// every acknowledged document is whole, what was under way is there whole or not at all, and no
// rows are left over. RAGSTONE_CRASH_CYCLES and RAGSTONE_CRASH_SEED change the number and the
// moments.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include "tests/unit/index/test_database.h"

extern char** environ;

namespace ragstone::index {
namespace {

int FromEnvironment(const char* name, int value) {
  const char* text = std::getenv(name);
  return text == nullptr ? value : std::atoi(text);
}

// What may be found of one thread's document: marks of the last acknowledged step and of the one
// under way; "" for none.
struct Expectation {
  std::set<std::string> marks = {""};
};

std::map<int, Expectation> ReadJournal(const std::filesystem::path& path, int* generation_max) {
  std::map<int, Expectation> expected;
  std::ifstream in(path);
  std::string step;
  std::string what;
  int thread = 0;
  int generation = 0;
  while (in >> step >> thread >> generation >> what) {
    *generation_max = std::max(*generation_max, generation);
    const std::string mark =
        what == "delete" ? "" : "t" + std::to_string(thread) + "g" + std::to_string(generation);
    if (step == "done") {
      expected[thread].marks = {mark};
    } else {
      expected[thread].marks.insert(mark);
    }
  }
  return expected;
}

void RunAndKill(const std::filesystem::path& dir, const std::filesystem::path& journal,
                int generation, int milliseconds) {
  std::string program = RAGSTONE_CRASH_WRITER;
  std::string dir_text = dir.string();
  std::string journal_text = journal.string();
  std::string generation_text = std::to_string(generation);
  char* arguments[] = {program.data(), dir_text.data(), journal_text.data(), generation_text.data(),
                       nullptr};
  pid_t child = 0;
  ASSERT_EQ(posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ), 0);
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
}

// The mark that all chunks of the document share; fails the test if they are not whole.
std::string MarkOf(Database* database, CollectionId collection, const DocumentInfo& info) {
  const auto chunks = database->GetChunkRange(collection, info.id, 0, UINT32_MAX);
  EXPECT_TRUE(chunks.ok()) << chunks.status().ToString();
  if (!chunks.ok() || chunks->empty()) return "unreadable";
  EXPECT_EQ(chunks->size(), info.chunks);
  const std::string text = chunks->front().text;
  for (const ChunkRecord& chunk : *chunks) EXPECT_EQ(chunk.text, text);
  const std::string mark = text.substr(text.find(' ') + 1);
  SearchRequest request;
  request.mode = SearchMode::kKeyword;
  request.text = mark;
  request.top_k = 10'000;
  const auto hits = database->Search(collection, request, CallContext());
  EXPECT_TRUE(hits.ok()) << hits.status().ToString();
  EXPECT_EQ(hits->size(), chunks->size()) << "postings of " << mark;
  const std::vector<float> vector = UnitVector(1);
  request.mode = SearchMode::kVector;
  request.vector = vector;
  request.documents = {info.id};
  EXPECT_EQ(database->Search(collection, request, CallContext())->size(), chunks->size())
      << "vectors of " << mark;
  EXPECT_TRUE(database->GetPage(collection, info.id, 1).ok());
  return mark;
}

void CheckAll(const std::filesystem::path& dir, std::map<int, Expectation> expected) {
  const std::unique_ptr<Database> database = OpenDatabase(dir, 5'000);
  ASSERT_NE(database, nullptr);
  const auto collection = database->GetCollection("crash");
  if (!collection.ok()) {  // killed before it was made
    for (const auto& [thread, expectation] : expected) {
      EXPECT_TRUE(expectation.marks.count("")) << thread;
    }
    return;
  }
  const auto documents = database->ListDocuments(collection->id, 0, 1000);
  ASSERT_TRUE(documents.ok());
  size_t chunks = 0;
  std::set<int> seen;
  for (const DocumentInfo& info : *documents) {
    const int thread = info.source.back() - '0';
    EXPECT_TRUE(seen.insert(thread).second) << "two documents of source " << info.source;
    const std::string mark = MarkOf(database.get(), collection->id, info);
    EXPECT_TRUE(expected[thread].marks.count(mark)) << "thread " << thread << " has " << mark;
    chunks += info.chunks;
  }
  for (const auto& [thread, expectation] : expected) {
    EXPECT_TRUE(seen.count(thread) || expectation.marks.count("")) << "lost: thread " << thread;
  }
  EXPECT_EQ(collection->documents, documents->size());
  EXPECT_EQ(collection->chunks, chunks);
  Clean(database.get());
  EXPECT_EQ(CountKeys(database.get(), Family::kPending), 0u);
  EXPECT_EQ(CountKeys(database.get(), Family::kChunk), chunks);
  EXPECT_EQ(CountKeys(database.get(), Family::kVector), chunks);
  EXPECT_EQ(CountKeys(database.get(), Family::kEmbedding), chunks);
  EXPECT_EQ(CountKeys(database.get(), Family::kPage), documents->size());
  EXPECT_EQ(CountKeys(database.get(), Family::kSource), documents->size());
}

TEST(IndexCrashTest, AcknowledgedDocumentsSurviveKillWhole) {
  const int cycles = FromEnvironment("RAGSTONE_CRASH_CYCLES", 10);
  const uint32_t seed = static_cast<uint32_t>(FromEnvironment("RAGSTONE_CRASH_SEED", 29));
  std::cout << "seed " << seed << ", " << cycles << " cycles\n";
  std::mt19937 random(seed);
  const TemporaryFolder folder;
  const std::filesystem::path journal = folder.path() / "journal";
  int generation_max = 0;
  for (int cycle = 0; cycle < cycles && !testing::Test::HasFailure(); ++cycle) {
    RunAndKill(folder.path() / "data", journal, generation_max + 1,
               static_cast<int>(100 + random() % 900));
    CheckAll(folder.path() / "data", ReadJournal(journal, &generation_max));
  }
  std::cout << "generations: " << generation_max << "\n";
  EXPECT_GT(generation_max, 0);
}

}  // namespace
}  // namespace ragstone::index

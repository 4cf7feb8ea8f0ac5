// The program that index_crash_test kills. Four threads add, replace and delete documents, each its
// own, until the process ends. A line for each step goes to the journal, in one write before the
// step ("begin") and one after its success ("done"):
//   <begin|done> <thread> <generation> <put|delete>
// The documents of a thread are numbered by generation, which never repeats.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

constexpr int kThreads = 4;

void Fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::_Exit(3);
}

void Note(int journal, const char* step, int thread, int generation, const char* what) {
  char line[80];
  const int size =
      std::snprintf(line, sizeof(line), "%s %d %d %s\n", step, thread, generation, what);
  if (write(journal, line, static_cast<size_t>(size)) != size) Fail("cannot write the journal");
}

void Run(Database* database, CollectionId collection, int thread, int generation, int journal) {
  const std::string source = "source" + std::to_string(thread);
  std::mt19937 random(static_cast<uint32_t>(generation * kThreads + thread));
  for (;; ++generation) {
    const auto known = database->FindBySource(collection, source);
    if (!known.ok()) Fail(known.status().ToString());
    if (known->has_value() && random() % 4 == 0) {
      Note(journal, "begin", thread, generation, "delete");
      const Status status = database->DeleteDocument(collection, (*known)->id, Batch());
      if (!status.ok()) Fail(status.ToString());
      Note(journal, "done", thread, generation, "delete");
      continue;
    }
    // More than one batch, so that a kill can fall between them.
    const std::string mark = "t" + std::to_string(thread) + "g" + std::to_string(generation);
    const std::vector<std::string> texts(300 + random() % 300, "crash " + mark);
    Note(journal, "begin", thread, generation, "put");
    const auto info = PutDocument(database, collection, {source, texts, 1},
                                  known->has_value() ? (*known)->id : 0);
    if (!info.ok()) Fail(info.status().ToString());
    Note(journal, "done", thread, generation, "put");
  }
}

int Main(const char* dir, const char* journal_path, int generation) {
  const int journal = open(journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) Fail("cannot open the journal");
  const std::unique_ptr<Database> database = OpenDatabase(dir, 5'000);
  if (database == nullptr) Fail("cannot open the database");
  const auto existing = database->GetCollection("crash");
  const auto info =
      existing.ok() ? existing : database->CreateCollection(TestSpec("crash"), Batch());
  if (!info.ok()) Fail(info.status().ToString());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { Run(database.get(), info->id, i, generation, journal); });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace ragstone::index

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s DIR JOURNAL FIRST_GENERATION\n", argv[0]);
    return 2;
  }
  return ragstone::index::Main(argv[1], argv[2], std::atoi(argv[3]));
}

// Ends the process at every step of storing indexes and removing rows, and opens what it left. The
// process is this program again, with a filter that runs the writer alone.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>

#include "base/crash_point.h"
#include "tests/unit/index/records_db/restart_fixture.h"

extern char** environ;

namespace ragstone::index {
namespace {

constexpr int kEnded = 42;

// Runs the writer until the given step came so many times; true if it ended there.
bool WriteUntil(const std::filesystem::path& dir, const std::string& step, int times) {
  setenv("RAGSTONE_CRASH_DIR", dir.c_str(), 1);
  setenv("RAGSTONE_CRASH_STEP", step.c_str(), 1);
  setenv("RAGSTONE_CRASH_TIMES", std::to_string(times).c_str(), 1);
  std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string filter = "--gtest_filter=DISABLED_IndexCrashWriter.*";
  std::string also = "--gtest_also_run_disabled_tests";
  char* arguments[] = {program.data(), filter.data(), also.data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ), 0);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  const int code = WEXITSTATUS(status);
  EXPECT_TRUE(code == 0 || code == kEnded) << "step " << step << " ended with " << code;
  return code == kEnded;
}

std::atomic<const char*> step_wanted{nullptr};
std::atomic<int> times_left{0};

void EndAt(const char* step) {
  if (std::strcmp(step, step_wanted.load()) == 0 && --times_left == 0) _exit(kEnded);
}

// Fills, stores, deletes, removes and stores again; ends the process at the step that is asked for.
class DISABLED_IndexCrashWriter : public RestartFixture {
 protected:
  void SetUp() override {
    step_wanted = std::getenv("RAGSTONE_CRASH_STEP");
    times_left = std::atoi(std::getenv("RAGSTONE_CRASH_TIMES"));
    crash_hook = EndAt;
    seal_rows_ = kSeal;
    Open(std::getenv("RAGSTONE_CRASH_DIR"));
  }
};

TEST_F(DISABLED_IndexCrashWriter, Writes) {
  Fill(1600);
  Save();
  DeleteRange(100, 300);
  Maintain();
  PutRange(1600, 2400);
  Maintain();
  Save();
  RecordCollectionSpec spec = RestartSpec();
  spec.vectors[1].target_recall = 0.9f;
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  Answers();
  DeleteRange(300, 350);
  Maintain();
  Save();
  PutRange(2400, 2500);
}

class IndexCrashTest : public RestartFixture {};

TEST_F(IndexCrashTest, WhatACrashLeavesAtAnyStepIsWhole) {
  int crashes = 0;
  for (const std::string step :
       {"records.index-written", "records.index-named", "records.index-listed",
        "records.index-swept", "records.gone-removed"}) {
    // The first times, and then every so often.
    for (int times = 1; times <= 13 && !HasFailure(); times += times < 4 ? 1 : 3) {
      Close();
      copy_ = std::make_unique<TemporaryFolder>();
      if (!WriteUntil(copy_->path(), step, times)) break;
      ++crashes;
      Open(copy_->path());
      // Without files: what the records themselves say.
      TemporaryFolder plain;
      Close();
      CopyAsAfterACrash(Dir(), plain.path());
      std::filesystem::remove_all(plain.path() / "indexes");
      Open(plain.path());
      const auto expected = Answers();
      Open(copy_->path());
      EXPECT_EQ(Answers(), expected) << step << ", time " << times;
      EXPECT_EQ(impl().loads().damaged, 0u) << step << ", time " << times;
      Maintain();
      Save();
      Close();
      Restart();
      EXPECT_EQ(Answers(), expected) << step << ", time " << times;
      EXPECT_EQ(impl().loads().from_files, 1u);
    }
  }
  EXPECT_GE(crashes, 12);
}

}  // namespace
}  // namespace ragstone::index

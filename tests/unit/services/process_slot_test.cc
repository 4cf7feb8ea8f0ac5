// Processes are shell scripts here: what they serve does not matter.
#include "services/workers/process_slot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

class ProcessSlotTest : public ::testing::Test {
 protected:
  ProcessSlotTest() : sockets_(RuntimeDir::CreateUnder(folder_.path()).value()) {}

  // A slot whose process notes its start in the file `starts` and then runs `script`.
  ProcessSlot* Slot(const std::string& script) {
    ProcessSlot::Options options;
    options.role = "test";
    const std::string all = "echo x >> " + starts_file().string() + "; " + script;
    options.launch = [all](const CallContext&) -> Result<ProcessSlot::Launch> {
      return ProcessSlot::Launch{"/bin/sh", {"-c", all}};
    };
    slots_.push_back(std::make_unique<ProcessSlot>(&supervisor(), sockets_.get(), options));
    return slots_.back().get();
  }

  // Ends before the slots do.
  Supervisor& supervisor() { return *supervisor_; }
  ~ProcessSlotTest() override {
    for (const auto& slot : slots_) slot->Close();
    supervisor_.reset();
  }

  std::filesystem::path starts_file() const { return folder_.path() / "starts"; }
  long Starts() const {
    const Result<std::string> text = ReadFile(starts_file());
    return text.ok() ? std::count(text->begin(), text->end(), 'x') : 0;
  }

  testing::TempFolder folder_;
  std::unique_ptr<RuntimeDir> sockets_;
  std::vector<std::unique_ptr<ProcessSlot>> slots_;
  std::unique_ptr<Supervisor> supervisor_ = std::make_unique<Supervisor>();
};

constexpr char kReadyAndWait[] = "printf R >&3; exec sleep 600";

TEST_F(ProcessSlotTest, OneStartServesAllWhoWait) {
  ProcessSlot* slot = Slot(kReadyAndWait);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] { good += slot->Acquire({}).ok() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 16);
  EXPECT_EQ(Starts(), 1);
  EXPECT_EQ(slot->State().starts, 1u);
}

TEST_F(ProcessSlotTest, RepeatedFailuresAnswerAtOnceWithoutAnotherStart) {
  ProcessSlot* slot = Slot("exit 3");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(slot->Acquire({}).status().reason(), Reason::kWorkerUnavailable);
  }
  EXPECT_EQ(Starts(), 3);
  EXPECT_THAT(slot->Acquire({}).status().message(), HasSubstr("exit code 3"));
  EXPECT_EQ(Starts(), 3) << "a worker that cannot start must not be started for every request";
}

TEST_F(ProcessSlotTest, ProcessThatDiedIsStartedAgain) {
  ProcessSlot* slot = Slot(kReadyAndWait);
  for (int i = 1; i <= 3; ++i) {
    const Result<ProcessSlot::Lease> lease = slot->Acquire({});
    ASSERT_TRUE(lease.ok()) << lease.status().ToString();
    EXPECT_EQ(Starts(), i);
    ::kill(static_cast<pid_t>(slot->State().pid), SIGSEGV);
    EXPECT_TRUE(lease->instance()->WaitForExit(std::chrono::minutes(1)));
    EXPECT_THAT(lease->instance()->exit_text(), HasSubstr("signal 11"));
  }
}

TEST_F(ProcessSlotTest, WatchEndsAProcessThatIsSilentForTooLong) {
  ProcessSlot* slot = Slot(kReadyAndWait);
  {
    const Result<ProcessSlot::Lease> lease = slot->Acquire({});
    ASSERT_TRUE(lease.ok());
    slot->Watch(std::chrono::hours(1));
    slot->CheckWatch();
    EXPECT_FALSE(slot->Unwatch());
    slot->Watch(milliseconds(0));
    slot->CheckWatch();
    EXPECT_TRUE(lease->instance()->WaitForExit(std::chrono::minutes(1)));
    EXPECT_TRUE(slot->Unwatch());
  }
  EXPECT_FALSE(slot->Unwatch());
  EXPECT_TRUE(slot->Acquire({}).ok());
  EXPECT_EQ(Starts(), 2);
}

TEST_F(ProcessSlotTest, IdlenessCountsOnlyWithoutLeases) {
  ProcessSlot* slot = Slot(kReadyAndWait);
  {
    const Result<ProcessSlot::Lease> lease = slot->Acquire({});
    ASSERT_TRUE(lease.ok());
    slot->StopIfIdle(std::chrono::seconds(0));
    EXPECT_NE(slot->State().pid, 0);
  }
  slot->StopIfIdle(std::chrono::seconds(3600));
  EXPECT_NE(slot->State().pid, 0);
  slot->StopIfIdle(std::chrono::seconds(0));
  EXPECT_EQ(slot->State().pid, 0);
  while (!slot->quiet()) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(slot->State().last_exit, "stopped");
}

TEST_F(ProcessSlotTest, CloseReleasesThoseWhoWait) {
  ProcessSlot* slot = Slot("exec sleep 600");
  std::thread waiter(
      [slot] { EXPECT_EQ(slot->Acquire({}).status().reason(), Reason::kShuttingDown); });
  while (Starts() == 0) std::this_thread::sleep_for(milliseconds(1));
  slot->Close();
  waiter.join();
}

TEST_F(ProcessSlotTest, CallerWhoGivesUpLeavesTheStartToTheOthers) {
  ProcessSlot* slot = Slot("while [ ! -e " + (folder_.path() / "go").string() +
                           " ]; do sleep 0.01; done; " + kReadyAndWait);
  const CallContext impatient;
  std::thread first(
      [&] { EXPECT_EQ(slot->Acquire(impatient).status().code(), StatusCode::kCancelled); });
  while (Starts() == 0) std::this_thread::sleep_for(milliseconds(1));
  std::thread second([&] { EXPECT_TRUE(slot->Acquire({}).ok()); });
  impatient.flag()->Cancel();
  first.join();
  const CallContext late(steady_clock::now() + milliseconds(20), std::make_shared<CancelFlag>());
  EXPECT_EQ(slot->Acquire(late).status().code(), StatusCode::kDeadlineExceeded);
  std::ofstream(folder_.path() / "go") << "";
  second.join();
  EXPECT_EQ(Starts(), 1);
}

}  // namespace
}  // namespace ragstone::services

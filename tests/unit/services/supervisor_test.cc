// Also covers process.cc: the Supervisor is its only user.
#include "services/workers/supervisor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::TempFolder;

constexpr milliseconds kLong{60'000};

// Collects the events of one process; declared before the Supervisor, so that it outlives it.
class Events {
 public:
  Supervisor::Listener Listener() {
    return [this](const ProcessEvent& event) {
      MutexLock lock(&mutex_);
      events_.push_back(event);
      changed_.NotifyAll();
    };
  }
  // Waits for the first event of the kind.
  ProcessEvent Wait(ProcessEvent::Kind kind) {
    MutexLock lock(&mutex_);
    for (;;) {
      for (const ProcessEvent& event : events_) {
        if (event.kind == kind) return event;
      }
      changed_.Wait(&mutex_);
    }
  }
  size_t count() {
    MutexLock lock(&mutex_);
    return events_.size();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<ProcessEvent> events_ GUARDED_BY(mutex_);
};

ProcessSpec Shell(const std::string& script, bool ready_pipe = true) {
  ProcessSpec spec;
  spec.name = "test";
  spec.executable = "/bin/sh";
  spec.arguments = {"-c", script};
  spec.ready_pipe = ready_pipe;
  return spec;
}

TEST(SupervisorTest, TellsThatAProcessIsReadyAndHowItEnded) {
  Events events;
  Supervisor supervisor;
  supervisor.Start(Shell("printf R >&3; echo last words >&2; exit 7"), kLong, events.Listener());
  const ProcessEvent ended = events.Wait(ProcessEvent::Kind::kExited);
  EXPECT_GT(events.Wait(ProcessEvent::Kind::kReady).pid, 0);
  EXPECT_EQ(DescribeWaitStatus(ended.wait_status), "exit code 7");
  EXPECT_EQ(ended.last_output, "last words");
  EXPECT_FALSE(ended.requested);
  EXPECT_EQ(events.count(), 2u);
}

TEST(SupervisorTest, DescribesSignals) {
  Events events;
  Supervisor supervisor;
  supervisor.Start(Shell("kill -SEGV $$"), kLong, events.Listener());
  EXPECT_EQ(DescribeWaitStatus(events.Wait(ProcessEvent::Kind::kExited).wait_status),
            "signal 11 (Segmentation fault)");
}

TEST(SupervisorTest, PassesARefusalOnWithItsReason) {
  Events events, odd;
  Supervisor supervisor;
  supervisor.Start(Shell("printf 'EMODEL_CORRUPT m.gguf is damaged\\n' >&3; exit 1"), kLong,
                   events.Listener());
  const Status refused = events.Wait(ProcessEvent::Kind::kRefused).status;
  EXPECT_EQ(refused.code(), StatusCode::kDataLoss);
  EXPECT_EQ(refused.reason(), Reason::kModelCorrupt);
  EXPECT_EQ(refused.message(), "m.gguf is damaged");
  events.Wait(ProcessEvent::Kind::kExited);

  supervisor.Start(Shell("printf 'Esomething went wrong' >&3; exit 1"), kLong, odd.Listener());
  const Status unknown = odd.Wait(ProcessEvent::Kind::kRefused).status;
  EXPECT_EQ(unknown.reason(), Reason::kWorkerUnavailable);
  EXPECT_EQ(unknown.message(), "something went wrong");
}

TEST(SupervisorTest, ExecutableThatIsMissingEndsAtOnceWithTheReason) {
  Events events;
  Supervisor supervisor;
  ProcessSpec spec = Shell("");
  spec.executable = "/nonexistent/worker";
  supervisor.Start(spec, kLong, events.Listener());
  const ProcessEvent ended = events.Wait(ProcessEvent::Kind::kExited);
  EXPECT_EQ(ended.pid, 0);
  EXPECT_EQ(ended.status.reason(), Reason::kFileNotFound);
  EXPECT_THAT(ended.status.message(), HasSubstr("/nonexistent/worker"));
}

TEST(SupervisorTest, ProcessThatIsNotReadyInTimeIsKilled) {
  Events events;
  Supervisor supervisor;
  supervisor.Start(Shell("sleep 600"), milliseconds(50), events.Listener());
  EXPECT_EQ(events.Wait(ProcessEvent::Kind::kRefused).status.reason(), Reason::kWorkerUnavailable);
  EXPECT_EQ(DescribeWaitStatus(events.Wait(ProcessEvent::Kind::kExited).wait_status),
            "signal 9 (Killed)");
}

TEST(SupervisorTest, StopKillsAProcessThatIgnoresTheRequest) {
  Events events;
  Supervisor supervisor;
  const uint64_t number = supervisor.Start(
      Shell("trap '' TERM; printf R >&3; while :; do sleep 0.05; done"), kLong, events.Listener());
  events.Wait(ProcessEvent::Kind::kReady);
  supervisor.Stop(number);
  const ProcessEvent ended = events.Wait(ProcessEvent::Kind::kExited);
  EXPECT_EQ(DescribeWaitStatus(ended.wait_status), "signal 9 (Killed)");
  EXPECT_TRUE(ended.requested);
  supervisor.Stop(number);  // one that has ended
  supervisor.Kill(number);
}

TEST(SupervisorTest, EndOfTheSupervisorEndsItsProcesses) {
  Events events;
  pid_t pid = 0;
  {
    Supervisor supervisor;
    supervisor.Start(Shell("printf R >&3; sleep 600"), kLong, events.Listener());
    pid = events.Wait(ProcessEvent::Kind::kReady).pid;
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_TRUE(events.Wait(ProcessEvent::Kind::kExited).requested);
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(SupervisorTest, ChildrenInheritNoDescriptorsSignalsOrGroup) {
  const TempFolder folder;
  // What a library without O_CLOEXEC would leave open.
  const int null = ::open("/dev/null", O_RDONLY);
  const int leaked = ::fcntl(null, F_DUPFD, 50);
  const int high = ::fcntl(null, F_DUPFD, 200);
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  ::signal(SIGPIPE, SIG_IGN);
  Events events;
  Supervisor supervisor;
  const std::string out = (folder.path() / "out").string();
  // Signals are read without a child of the shell's own: it blocks some while it makes one.
  supervisor.Start(
      Shell("exec 9>" + out +
            "; while read -r name value; do case $name in SigBlk:|SigIgn:) echo $name "
            "$value >&9;; esac; done < /proc/$$/status; cut -d' ' -f5 /proc/$$/stat >&9; "
            "echo $$ >&9; ls /proc/$$/fd >&9; printf R >&3"),
      kLong, events.Listener());
  events.Wait(ProcessEvent::Kind::kExited);
  std::ifstream file(out);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_GE(lines.size(), 8u);
  EXPECT_EQ(lines[0], "SigBlk: 0000000000000000");
  ASSERT_TRUE(lines[1].starts_with("SigIgn: "));
  const uint64_t ignored = std::strtoull(lines[1].c_str() + 8, nullptr, 16);
  EXPECT_EQ(ignored >> (SIGPIPE - 1) & 1, 0u);
  EXPECT_EQ(lines[2], lines[3]) << "process group and process id";
  EXPECT_THAT(lines, ::testing::IsSupersetOf({"0", "1", "2", "3"}));
  EXPECT_THAT(lines, ::testing::Not(::testing::Contains(std::to_string(high))));
  EXPECT_THAT(lines, ::testing::Not(::testing::Contains(std::to_string(leaked))));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(null);
  ::close(leaked);
  ::close(high);
}

TEST(SupervisorTest, FloodOfOutputIsBounded) {
  Events events;
  Supervisor supervisor;
  supervisor.Start(Shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"), kLong,
                   events.Listener());
  EXPECT_EQ(events.Wait(ProcessEvent::Kind::kExited).last_output, "end");
}

TEST(SupervisorTest, ManyProcessesAreAllReaped) {
  std::vector<std::unique_ptr<Events>> all;
  Supervisor supervisor;
  for (int i = 0; i < 30; ++i) {
    all.push_back(std::make_unique<Events>());
    supervisor.Start(Shell("exit " + std::to_string(i)), kLong, all.back()->Listener());
  }
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(WEXITSTATUS(all[i]->Wait(ProcessEvent::Kind::kExited).wait_status), i);
  }
}

TEST(ProcessTest, MemoryUseOfThisProcessIsKnownAndOfNoneIsZero) {
  const MemoryUse own = ReadMemoryUse(::getpid());
  EXPECT_GT(own.rss_bytes, 1u << 20);
  EXPECT_GE(own.peak_rss_bytes, own.rss_bytes);
  EXPECT_EQ(ReadMemoryUse(0).rss_bytes, 0u);
  EXPECT_EQ(ReadMemoryUse(0x7fffffff).rss_bytes, 0u);
}

}  // namespace
}  // namespace ragstone::services

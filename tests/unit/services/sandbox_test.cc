#include "services/workers/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <thread>

namespace ragstone::services {
namespace {

// The limits cannot be undone, so each check runs in a child; 0 means that it held.
int InChild(const std::function<int()>& check) {
  const pid_t pid = fork();
  if (pid == 0) _exit(check());
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(SandboxTest, FilesOutsideTheFoldersAreClosed) {
  const int result = InChild([] {
    const Result<bool> restricted = RestrictFiles({"/usr/share", "/no/such/folder"});
    if (!restricted.ok()) return 1;
    if (!*restricted) return 77;  // a kernel without Landlock
    if (open("/etc/passwd", O_RDONLY) >= 0) return 2;
    if (open("/usr/share", O_RDONLY | O_DIRECTORY) < 0) return 3;
    int inherited = 0;
    std::thread([&] { inherited = open("/etc/passwd", O_RDONLY); }).join();
    return inherited >= 0 ? 4 : 0;
  });
  if (result == 77) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(result, 0);
}

TEST(SandboxTest, DangerousCallsAreDenied) {
  EXPECT_EQ(InChild([] {
              if (!RestrictSystemCalls().ok()) return 1;
              if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 2;
              if (open("/dev/null", O_WRONLY) >= 0 || errno != EPERM) return 3;
              if (open("/dev/null", O_RDONLY | O_CREAT, 0600) >= 0) return 4;
              char* const none[] = {nullptr};
              if (execve("/bin/true", none, none) != -1 || errno != EPERM) return 5;
              if (fork() >= 0) return 6;
              if (kill(getppid(), 0) == 0) return 7;
              void* code =
                  mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              if (code != MAP_FAILED) return 8;
              const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
              return setrlimit(RLIMIT_AS, &unlimited) == 0 ? 9 : 0;
            }),
            0);
}

TEST(SandboxTest, WhatAWorkerNeedsStillWorks) {
  EXPECT_EQ(InChild([] {
              if (!RestrictSystemCalls().ok()) return 1;
              if (open("/dev/null", O_RDONLY) < 0) return 2;
              int seen = 0;
              std::thread([&] { seen = 1; }).join();
              if (seen != 1) return 3;
              void* memory = malloc(64 << 20);
              if (memory == nullptr) return 4;
              free(memory);
              return AllowCpuSeconds(100).ok() ? 0 : 5;
            }),
            0);
}

TEST(SandboxTest, TheFilterHoldsForThreadsThatRanBefore) {
  EXPECT_EQ(InChild([] {
              std::atomic<int> stage{0};
              int result = 1;
              std::thread early([&] {
                while (stage == 0) std::this_thread::yield();
                result = socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 2 : 0;
              });
              if (!RestrictSystemCalls().ok()) _exit(3);
              stage = 1;
              early.join();
              return result;
            }),
            0);
}

TEST(SandboxTest, ResourcesAreLimited) {
  EXPECT_EQ(InChild([] {
              if (!RestrictResources(256 << 20).ok()) return 1;
              rlimit core{}, size{};
              getrlimit(RLIMIT_CORE, &core);
              getrlimit(RLIMIT_FSIZE, &size);
              if (core.rlim_max != 0 || size.rlim_max != 0) return 2;
              void* much = mmap(nullptr, 1ull << 30, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return much == MAP_FAILED ? 0 : 3;
            }),
            0);
}

TEST(SandboxTest, CpuTimeIsCountedFromNow) {
  EXPECT_EQ(InChild([] {
              if (!AllowCpuSeconds(5).ok()) return 1;
              rlimit limit{};
              getrlimit(RLIMIT_CPU, &limit);
              if (limit.rlim_cur < 5 || limit.rlim_cur > 60) return 2;
              if (!AllowCpuSeconds(1000).ok()) return 3;
              getrlimit(RLIMIT_CPU, &limit);
              return limit.rlim_cur >= 1000 ? 0 : 4;
            }),
            0);
}

}  // namespace
}  // namespace ragstone::services

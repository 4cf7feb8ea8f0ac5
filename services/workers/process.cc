#include "services/workers/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace ragstone::services {

namespace {

// Descriptors below are overwritten in the child by stdin, stdout, stderr and the ready pipe.
constexpr int kFirstFreeDescriptor = 10;

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "create a pipe");
  FileDescriptor read(ends[0]);
  const FileDescriptor low_write(ends[1]);
  FileDescriptor write(::fcntl(low_write.get(), F_DUPFD_CLOEXEC, kFirstFreeDescriptor));
  if (!write.valid()) return ErrnoStatus(errno, "create a pipe");
  if (::fcntl(read.get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoStatus(errno, "set up a pipe");
  return Pipe{std::move(read), std::move(write)};
}

class SpawnSettings {
 public:
  SpawnSettings() {
    CHECK(::posix_spawn_file_actions_init(&actions_) == 0);
    CHECK(::posix_spawnattr_init(&attributes_) == 0);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  // Returns an errno value.
  int SetUp(int output, int ready) {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    constexpr short kFlags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int error = ::posix_spawnattr_setflags(&attributes_, kFlags);
    if (error == 0) error = ::posix_spawnattr_setpgroup(&attributes_, 0);
    if (error == 0) error = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) {
      error = ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    if (error == 0) {
      error = ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    }
    if (error == 0) {
      error = ::posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    }
    int first_closed = STDERR_FILENO + 1;
    if (error == 0 && ready >= 0) {
      error = ::posix_spawn_file_actions_adddup2(&actions_, ready, kReadyDescriptor);
      first_closed = kReadyDescriptor + 1;
    }
    // Libraries may have opened descriptors without O_CLOEXEC.
    if (error == 0) error = ::posix_spawn_file_actions_addclosefrom_np(&actions_, first_closed);
    return error;
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<Child> SpawnChild(const ProcessSpec& spec) {
  ASSIGN_OR_RETURN(Pipe output, MakePipe());
  Pipe ready;
  if (spec.ready_pipe) {
    ASSIGN_OR_RETURN(ready, MakePipe());
  }
  SpawnSettings settings;
  int error = settings.SetUp(output.write.get(), ready.write.get());
  if (error != 0) return ErrnoStatus(error, "prepare the start of " + spec.executable.string());

  std::vector<std::string> texts = {spec.executable.string()};
  texts.insert(texts.end(), spec.arguments.begin(), spec.arguments.end());
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);

  Child child;
  error = ::posix_spawn(&child.pid, spec.executable.c_str(), settings.actions(),
                        settings.attributes(), arguments.data(), environ);
  if (error != 0) return ErrnoStatus(error, "start " + spec.executable.string());
  child.exit = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  child.ready = std::move(ready.read);
  child.output = std::move(output.read);
  return child;
}

std::string DescribeWaitStatus(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    const char* name = ::sigdescr_np(number);
    return "signal " + std::to_string(number) + " (" + (name == nullptr ? "unknown" : name) + ")";
  }
  return "exit code " + std::to_string(WEXITSTATUS(wait_status));
}

MemoryUse ReadMemoryUse(pid_t pid) {
  MemoryUse use;
  if (pid <= 0) return use;
  const Result<std::string> status = ReadFile("/proc/" + std::to_string(pid) + "/status", 1 << 16);
  if (!status.ok()) return use;
  const auto value = [&status](const char* key) -> uint64_t {
    const size_t at = status->find(key);
    if (at == std::string::npos) return 0;
    return std::strtoull(status->c_str() + at + std::strlen(key), nullptr, 10) * 1024;
  };
  use.rss_bytes = value("\nVmRSS:");
  use.peak_rss_bytes = value("\nVmHWM:");
  return use;
}

}  // namespace ragstone::services

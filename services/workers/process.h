#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace ragstone::services {

// Descriptor number under which a child finds the pipe on which it reports that it is ready.
inline constexpr int kReadyDescriptor = 3;

// What to run.
struct ProcessSpec {
  std::string name;  // for log lines: "pdf", "embed all-MiniLM-L6-v2"
  std::filesystem::path executable;
  std::vector<std::string> arguments;  // after the executable's name
  bool ready_pipe = true;              // whether the child reports on kReadyDescriptor
};

// A running child and our ends of its pipes, which never block.
struct Child {
  pid_t pid = 0;
  FileDescriptor exit;    // readable once the child has ended; invalid on kernels without pidfd
  FileDescriptor ready;   // invalid without ready_pipe
  FileDescriptor output;  // its stdout and stderr
};

// Starts a child with posix_spawn: own process group (a Ctrl-C reaches only us), default signals,
// stdin from /dev/null, no descriptor of ours but the pipes. PR_SET_PDEATHSIG, which the child
// sets, is bound to the calling thread: it must live as long as the child shall.
Result<Child> SpawnChild(const ProcessSpec& spec);

// "signal 11 (Segmentation fault)", "exit code 1".
std::string DescribeWaitStatus(int wait_status);

struct MemoryUse {
  uint64_t rss_bytes = 0;
  uint64_t peak_rss_bytes = 0;
};
// From /proc; zeros if there is no such process.
MemoryUse ReadMemoryUse(pid_t pid);

}  // namespace ragstone::services

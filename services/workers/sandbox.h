#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace ragstone::services {

// Limits of the process for the rest of its life; none can be undone.

// Lets this thread and all threads it starts from now on open nothing but files below `read_only`,
// for reading (Landlock). Folders that do not exist are left out. Returns false where the kernel
// has no Landlock; the process then goes on without it.
Result<bool> RestrictFiles(const std::vector<std::string>& read_only);

// Limits of a worker that reads hostile bytes: no core file, no output file, few descriptors, and
// `memory_bytes` of address space beyond what is mapped now. Reads /proc, so it goes before
// RestrictFiles.
Status RestrictResources(uint64_t memory_bytes);

// Moves the soft CPU limit `seconds` beyond what the process has used; SIGXCPU ends the process.
Status AllowCpuSeconds(uint32_t seconds);

// Denies every thread of the process (seccomp) all system calls but those that serving accepted
// connections, memory, threads, time and reading files need: no new sockets or connections, no
// other programs, no files open for writing, no code mapped from now on. Denied calls fail with
// EPERM. UNAVAILABLE where the kernel has no seccomp.
Status RestrictSystemCalls();

}  // namespace ragstone::services

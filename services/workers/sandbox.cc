#include "services/workers/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "base/file.h"

namespace ragstone::services {
namespace {

constexpr rlim_t kDescriptorsMax = 256;

// Access rights by the version of Landlock that brought them; older headers lack the later names.
constexpr uint64_t kAccessVersion1 = (1ull << 13) - 1;
constexpr uint64_t kAccessRefer = 1ull << 13;
constexpr uint64_t kAccessTruncate = 1ull << 14;
constexpr uint64_t kAccessIoctl = 1ull << 15;

uint64_t HandledAccess(long version) {
  uint64_t access = kAccessVersion1;
  if (version >= 2) access |= kAccessRefer;
  if (version >= 3) access |= kAccessTruncate;
  if (version >= 5) access |= kAccessIoctl;
  return access;
}

Status AllowReading(int ruleset, const std::string& path) {
  const FileDescriptor folder(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!folder.valid()) return OkStatus();  // nothing there, nothing to allow
  landlock_path_beneath_attr rule{};
  rule.parent_fd = folder.get();
  rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return ErrnoStatus(errno, "allow reading below " + path);
  }
  return OkStatus();
}

Status SetLimit(__rlimit_resource resource, rlim_t value, const char* name) {
  const rlimit limit{value, value};
  if (setrlimit(resource, &limit) != 0) return ErrnoStatus(errno, std::string("set ") + name);
  return OkStatus();
}

// Bytes of address space mapped now.
Result<uint64_t> MappedBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  if (!(statm >> pages)) return ErrnoStatus(errno, "read /proc/self/statm");
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// Calls allowed with any arguments.
constexpr int kAllowedCalls[] = {
    // connections that were accepted or are there already
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(dup),
    SCMP_SYS(fcntl),
    // reading files
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fstat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(getdents64),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(fadvise64),
    // memory, threads, time
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(membarrier),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrandom),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(set_tid_address),
    // about the process itself
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
};

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {}
  ~Filter() {
    if (context_ != nullptr) seccomp_release(context_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void Allow(int call) { Note(seccomp_rule_add(context_, SCMP_ACT_ALLOW, call, 0)); }
  void Allow(int call, scmp_arg_cmp argument) {
    Note(seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call, 1, &argument));
  }
  void Fail(int call, int error) {
    Note(seccomp_rule_add(context_, SCMP_ACT_ERRNO(error), call, 0));
  }

  // Puts the filter on all threads.
  int Load() {
    if (context_ == nullptr) return -ENOMEM;
    Note(seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1));
    return error_ != 0 ? error_ : seccomp_load(context_);
  }

 private:
  void Note(int error) {
    // A call that this architecture does not have needs no rule.
    if (error != 0 && error != -EDOM && error_ == 0) error_ = error;
  }

  scmp_filter_ctx context_;
  int error_ = 0;
};

void AddConditionalRules(Filter* filter) {
  constexpr uint64_t kWriting = O_ACCMODE | O_CREAT | O_TRUNC;
  filter->Allow(SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, kWriting, 0));
  filter->Allow(SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, kWriting, 0));
  filter->Allow(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  filter->Allow(SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  // Threads only. glibc tries clone3 first, whose flags a filter cannot see, and then clone.
  filter->Allow(SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  filter->Fail(SCMP_SYS(clone3), ENOSYS);
  // Signals to itself only (abort), the CPU limit but no other, thread names.
  filter->Allow(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<uint64_t>(getpid())));
  filter->Allow(SCMP_SYS(prlimit64), SCMP_A1(SCMP_CMP_EQ, RLIMIT_CPU));
  filter->Allow(SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
  filter->Allow(SCMP_SYS(setrlimit), SCMP_A0(SCMP_CMP_EQ, RLIMIT_CPU));
  filter->Allow(SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
  filter->Allow(SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONREAD));
  filter->Allow(SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO));
}

}  // namespace

Result<bool> RestrictFiles(const std::vector<std::string>& read_only) {
  const long version =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = HandledAccess(version);
  const FileDescriptor ruleset(static_cast<int>(
      syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0)));
  if (!ruleset.valid()) return ErrnoStatus(errno, "create a Landlock ruleset");
  for (const std::string& path : read_only) RETURN_IF_ERROR(AllowReading(ruleset.get(), path));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoStatus(errno, "set no_new_privs");
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return ErrnoStatus(errno, "enforce the Landlock ruleset");
  }
  return true;
}

Status RestrictResources(uint64_t memory_bytes) {
  RETURN_IF_ERROR(SetLimit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  RETURN_IF_ERROR(SetLimit(RLIMIT_FSIZE, 0, "RLIMIT_FSIZE"));
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return ErrnoStatus(errno, "get RLIMIT_NOFILE");
  RETURN_IF_ERROR(
      SetLimit(RLIMIT_NOFILE, std::min(descriptors.rlim_max, kDescriptorsMax), "RLIMIT_NOFILE"));
  ASSIGN_OR_RETURN(const uint64_t mapped, MappedBytes());
  return SetLimit(RLIMIT_AS, mapped + memory_bytes, "RLIMIT_AS");
}

Status AllowCpuSeconds(uint32_t seconds) {
  rusage used{};
  if (getrusage(RUSAGE_SELF, &used) != 0) return ErrnoStatus(errno, "read the CPU time used");
  rlimit limit{};
  if (getrlimit(RLIMIT_CPU, &limit) != 0) return ErrnoStatus(errno, "get RLIMIT_CPU");
  const rlim_t soft =
      static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + seconds;
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  if (setrlimit(RLIMIT_CPU, &limit) != 0) return ErrnoStatus(errno, "set RLIMIT_CPU");
  return OkStatus();
}

Status RestrictSystemCalls() {
  Filter filter;
  for (const int call : kAllowedCalls) filter.Allow(call);
  AddConditionalRules(&filter);
  const int error = filter.Load();
  if (error != 0) {
    return Unavailable(Reason::kInternal, "the kernel refused the seccomp filter (error " +
                                              std::to_string(-error) + ")");
  }
  return OkStatus();
}

}  // namespace ragstone::services

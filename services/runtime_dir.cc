#include "services/runtime_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace ragstone::services {

namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "ragstone-";
constexpr char kLockName[] = "lock";
// A socket's address holds 107 bytes; "/ragstone-XXXXXX/embed-12345678" needs 32 of them.
constexpr size_t kBaseBytesMax = 64;
constexpr int kAbandonedAfterS = 60;

Status NoFolder(const std::string& message) {
  return Unavailable(Reason::kWorkerUnavailable, message);
}

// Whether the folder is ours and nobody else may enter it.
Status CheckOwned(const fs::path& folder) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return ErrnoStatus(errno, "stat " + folder.string());
  if (!S_ISDIR(info.st_mode)) return NoFolder(folder.string() + " is not a folder; remove it");
  if (info.st_uid != ::geteuid()) {
    return NoFolder(folder.string() + " belongs to user " + std::to_string(info.st_uid) +
                    "; have it removed, or set XDG_RUNTIME_DIR to a folder of your own");
  }
  if ((info.st_mode & 077) != 0) {
    return NoFolder(folder.string() + " may be entered by other users; run chmod 700 on it");
  }
  return OkStatus();
}

Result<fs::path> BaseFolder() {
  const char* variable = std::getenv("XDG_RUNTIME_DIR");
  if (variable != nullptr) {
    const fs::path folder = variable;
    if (folder.is_absolute() && folder.string().size() <= kBaseBytesMax &&
        CheckOwned(folder).ok() && ::access(folder.c_str(), W_OK | X_OK) == 0) {
      return folder;
    }
  }
  const fs::path fallback = "/tmp/ragstone-" + std::to_string(::geteuid());
  if (::mkdir(fallback.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, "create " + fallback.string());
  }
  RETURN_IF_ERROR(CheckOwned(fallback));
  return fallback;
}

// Removes a folder whose owner ended without doing so. A young one is left alone: its owner may not
// have locked it yet.
void RemoveIfAbandoned(const fs::path& folder) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return;
  if (info.st_uid != ::geteuid() || std::time(nullptr) - info.st_mtime < kAbandonedAfterS) return;
  const Result<FileDescriptor> lock = OpenFile(folder / kLockName, O_RDWR);
  if (!lock.ok() || ::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) return;
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

void RemoveAbandoned(const fs::path& base) {
  std::error_code error;
  for (fs::directory_iterator entry(base, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().rfind(kPrefix, 0) == 0) {
      RemoveIfAbandoned(entry->path());
    }
  }
}

}  // namespace

std::string RandomHex(size_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::vector<unsigned char> random(bytes);
  size_t filled = 0;
  while (filled < bytes) {
    const ssize_t got = ::getrandom(random.data() + filled, bytes - filled, 0);
    CHECK(got > 0 || errno == EINTR);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  std::string hex;
  for (const unsigned char byte : random) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

Result<std::unique_ptr<RuntimeDir>> RuntimeDir::Create() {
  Result<fs::path> base = BaseFolder();
  if (!base.ok()) return base.status().WithContext("folder for sockets");
  return CreateUnder(*base);
}

Result<std::unique_ptr<RuntimeDir>> RuntimeDir::CreateUnder(const fs::path& base) {
  RemoveAbandoned(base);
  std::string name = (base / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    return ErrnoStatus(errno, "create a folder for sockets under " + base.string());
  }
  Result<FileDescriptor> lock = OpenFile(fs::path(name) / kLockName, O_RDWR | O_CREAT, 0600);
  if (!lock.ok()) return lock.status();
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) return ErrnoStatus(errno, "lock " + name);
  return std::unique_ptr<RuntimeDir>(new RuntimeDir(name, std::move(lock).value()));
}

RuntimeDir::~RuntimeDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path RuntimeDir::NewSocketPath(std::string_view prefix) const {
  return path_ / (std::string(prefix) + "-" + RandomHex(4));
}

}  // namespace ragstone::services

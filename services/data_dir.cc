#include "services/data_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "services/runtime_dir.h"
#include "services/server.h"

namespace ragstone::services {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr char kLockName[] = "LOCK";
constexpr char kEndpointName[] = "endpoint";
constexpr char kTokenName[] = "token";
constexpr char kUnixPrefix[] = "unix:";
constexpr std::chrono::milliseconds kLockRetry{20};
constexpr size_t kTokenBytes = 32;
constexpr size_t kTokenLengthMin = 32;
constexpr size_t kTokenLengthMax = 1024;

std::string OwnName() {
  const Result<std::string> name = ReadFile("/proc/self/comm", 256);
  if (!name.ok()) return "ragstone";
  return name->substr(0, name->find('\n'));
}

// Says who holds the lock, as far as its file tells.
Status LockedStatus(const fs::path& folder, int wait_ms) {
  const Result<std::string> text = ReadFile(folder / kLockName, 1024);
  std::string holder = "another process";
  if (text.ok() && !text->empty()) {
    const std::string line = text->substr(0, text->find('\n'));
    const size_t space = line.find(' ');
    holder = "process " + line.substr(0, space);
    if (space != std::string::npos) holder += " (" + line.substr(space + 1) + ")";
  }
  return Unavailable(Reason::kDataDirLocked,
                     "the data directory " + folder.string() + " is used by " + holder +
                         " and did not become free within " + std::to_string(wait_ms) +
                         " ms; stop that process or use another --data-dir");
}

Status LockFile(int fd, const fs::path& folder, int wait_ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "lock " + folder.string());
    if (std::chrono::steady_clock::now() >= until) return LockedStatus(folder, wait_ms);
    std::this_thread::sleep_for(kLockRetry);
  }
  return OkStatus();
}

}  // namespace

Result<DataDir> DataDir::Lock(const fs::path& folder, int wait_ms) {
  RETURN_IF_ERROR(CreateDirectories(folder).WithContext("data directory"));
  Result<FileDescriptor> lock = OpenFile(folder / kLockName, O_RDWR | O_CREAT, 0600);
  if (!lock.ok()) return lock.status().WithContext("data directory");
  RETURN_IF_ERROR(LockFile(lock->get(), folder, wait_ms));
  // Only for the message of others: the lock itself is the kernel's and ends with the process.
  if (::ftruncate(lock->get(), 0) != 0) {
    return ErrnoStatus(errno, "write " + (folder / kLockName).string());
  }
  const std::string text = std::to_string(::getpid()) + " " + OwnName() + "\n";
  RETURN_IF_ERROR(WriteAll(lock->get(), text, (folder / kLockName).string()));
  return DataDir(folder, std::move(lock).value());
}

DataDir::~DataDir() { RemoveEndpoint(); }

Status DataDir::WriteEndpoint(const std::string& socket_target, const std::string& tcp_address) {
  const json endpoint = {{"target", socket_target},
                         {"pid", ::getpid()},
                         {"tcp_address", tcp_address},
                         {"started_ns", Clock::System()->NowNs()}};
  RETURN_IF_ERROR(WriteFileAtomically(path_ / kEndpointName, endpoint.dump() + "\n", 0600));
  has_endpoint_ = true;
  return OkStatus();
}

void DataDir::RemoveEndpoint() {
  // A moved-from object has no lock and nothing to remove.
  if (!has_endpoint_ || !lock_.valid()) return;
  ::unlink((path_ / kEndpointName).c_str());
  has_endpoint_ = false;
}

Result<std::string> DataDir::Token() {
  const fs::path file = path_ / kTokenName;
  Result<std::string> text = ReadFile(file, 4096);
  if (!text.ok() && text.status().reason() == Reason::kFileNotFound) {
    const std::string token = RandomHex(kTokenBytes);
    RETURN_IF_ERROR(WriteFileAtomically(file, token + "\n", 0600));
    return token;
  }
  if (!text.ok()) return text.status();
  std::string token = std::move(text).value();
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  const bool printable =
      std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
  if (token.size() < kTokenLengthMin || token.size() > kTokenLengthMax || !printable) {
    return FailedPrecondition(Reason::kTokenInvalid,
                              file.string() + " must hold " + std::to_string(kTokenLengthMin) +
                                  " to " + std::to_string(kTokenLengthMax) +
                                  " printable characters without spaces; remove it to get a new "
                                  "token");
  }
  // Others must not read it, whoever wrote it.
  if (::chmod(file.c_str(), 0600) != 0) return ErrnoStatus(errno, "chmod " + file.string());
  return token;
}

namespace {

bool Accepts(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof(address.sun_path)) return false;
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return socket.valid() &&
         ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

Result<std::string> FindServer(const fs::path& data_dir) {
  const Status none =
      NotFound(Reason::kServerGone, "no server uses the data directory " + data_dir.string() +
                                        "; start one with `ragstone serve`");
  const Result<std::string> text = ReadFile(data_dir / kEndpointName, 1 << 16);
  if (!text.ok()) {
    return text.status().reason() == Reason::kFileNotFound ? none : text.status();
  }
  const json endpoint = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!endpoint.is_object()) return none;
  const json target = endpoint.value("target", json());
  const json pid = endpoint.value("pid", json());
  if (!target.is_string() || !pid.is_number_integer()) return none;
  const std::string target_text = target.get<std::string>();
  if (target_text.rfind(kUnixPrefix, 0) != 0) return none;
  // A process of another user may not be signalled, but it is there.
  const bool alive = ::kill(pid.get<pid_t>(), 0) == 0 || errno == EPERM;
  if (!alive || !Accepts(target_text.substr(std::strlen(kUnixPrefix)))) return none;
  return target_text;
}

}  // namespace ragstone::services

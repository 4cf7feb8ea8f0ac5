// Backups beside writers, and restores, killed at random moments and repeated.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "index/blob_store.h"
#include "index/operations.h"
#include "tests/reliability/numbered.h"

namespace ragstone::index::reliability {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr uint64_t kShort = 10;
constexpr uint64_t kCyclesOfUnit = 20;
constexpr auto kOpenMax = std::chrono::seconds(120);
constexpr uint64_t kLifeMsMax = 1'200;
constexpr uint64_t kRestoreMsMax = 120;
constexpr size_t kKept = 3;
constexpr int kBackupsOfLife = 6;
constexpr int kPipeBytes = 1 << 20;

struct Folders {
  std::filesystem::path data;
  std::filesystem::path backups;
  std::filesystem::path restored;
};
struct Bounds {
  Numbers least{};
  Numbers most{};
};

// --- the process that has the data: writers, and backups beside them

class Source {
 public:
  Source(const Folders& folders, uint64_t seed, const Bounds& bounds, int fd)
      : folders_(folders), seed_(seed), bounds_(bounds), fd_(fd) {}

  // Until it is killed.
  void Run(uint64_t life_seed) {
    const Status status = Serve(life_seed);
    Send("X " + status.ToString());
    _exit(3);
  }

 private:
  void Send(const std::string& line) {
    if (!WriteAll(fd_, line + "\n", "the pipe").ok()) _exit(5);
  }

  Status Serve(uint64_t life_seed) {
    ASSIGN_OR_RETURN(world_, OpenWorld(folders_.data / "db"));
    ASSIGN_OR_RETURN(blobs_,
                     BlobStore::Open(folders_.data / "blobs", world_.database.get(), 1 << 20));
    if (!world_.records->GetCollection(kNumberedCollection).ok()) {
      RETURN_IF_ERROR(CreateNumbered(world_));
    }
    ASSIGN_OR_RETURN(const Numbers numbers,
                     CheckNumbered(world_, seed_, bounds_.least, bounds_.most));
    for (size_t writer = 0; writer < kNumberedWriters; ++writer) {
      Tell("S", writer, numbers[writer]);
    }
    Send("O");
    std::vector<std::thread> writers;
    for (size_t writer = 0; writer < kNumberedWriters; ++writer) {
      writers.emplace_back([this, writer, number = numbers[writer]] { Write(writer, number); });
    }
    const Status status = Backups(life_seed);
    Send("X " + status.ToString());
    _exit(3);
  }

  void Tell(const char* what, size_t writer, int64_t number) {
    Send(std::string(what) + " " + std::to_string(writer) + " " + std::to_string(number));
  }

  void Write(size_t writer, int64_t number) {
    for (;;) {
      Tell("B", writer, ++number);
      const Status status = NumberedStep(world_, seed_, writer, number);
      if (!status.ok()) {
        Send("X " + status.ToString());
        _exit(3);
      }
      Tell("A", writer, number);
    }
  }

  Status Backups(uint64_t life_seed) {
    Random random(life_seed);
    const OpenData data{folders_.data, world_.database.get(), world_.records.get(), blobs_.get(),
                        ragstone::Clock::System()};
    for (int i = 0;; ++i) {
      if (i >= kBackupsOfLife) {
        pause();
        continue;
      }
      usleep(static_cast<useconds_t>(random.Below(30'000)));
      // While nobody restores yet, older ones are removed.
      const BackupTarget target{folders_.backups, "", i == 0 ? kKept : 0};
      Send("K");
      ASSIGN_OR_RETURN(const BackupOutcome outcome, CreateBackup(data, target, {}));
      if (!outcome.warnings.empty()) return Violation("a backup warned: " + outcome.warnings[0]);
      Send("D " + std::to_string(outcome.backup.id));
    }
  }

  const Folders& folders_;
  const uint64_t seed_;
  const Bounds bounds_;
  const int fd_;
  World world_;
  std::unique_ptr<BlobStore> blobs_;
};

// --- the parent

class BackupCycles {
 public:
  BackupCycles(const std::filesystem::path& folder, uint64_t seed)
      : folders_{folder / "data", folder / "backups", folder / "restored"},
        seed_(seed),
        random_(Mixed(seed, 3)) {}

  Status Run(uint64_t cycles, Figures* figures) {
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
      RETURN_IF_ERROR(Cycle().WithContext("cycle " + std::to_string(cycle)));
    }
    if (restored_ == 0) return Violation("nothing was restored");
    *figures = {{"cycles", static_cast<double>(cycles)},
                {"backups", static_cast<double>(made_)},
                {"backups_killed", static_cast<double>(backups_killed_)},
                {"restores", static_cast<double>(restored_)},
                {"restores_killed", static_cast<double>(restores_killed_)}};
    return OkStatus();
  }

 private:
  // One life of the source, killed; then what it left is looked at.
  Status Cycle() {
    RETURN_IF_ERROR(StartSource());
    const Status lived = Live();
    kill(source_, SIGKILL);
    int ended = 0;
    while (waitpid(source_, &ended, 0) < 0 && errno == EINTR) {
    }
    while (Read(/*wait_ms=*/1000)) {
    }
    close(fd_);
    RETURN_IF_ERROR(lived);
    RETURN_IF_ERROR(error_);
    if (begun_backup_) ++backups_killed_;
    RETURN_IF_ERROR(CheckBackups());
    return RestoreAtLast();
  }

  Status StartSource() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
    // So that writers seldom wait for this process.
    [[maybe_unused]] const int room = fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
    const uint64_t life_seed = random_.Next();
    std::fflush(nullptr);
    source_ = fork();
    if (source_ < 0) return ErrnoStatus(errno, "fork");
    if (source_ == 0) {
      close(ends[0]);
      Source(folders_, seed_, now_, ends[1]).Run(life_seed);
    }
    close(ends[1]);
    fd_ = ends[0];
    rest_.clear();
    open_ = begun_backup_ = false;
    made_in_life_ = 0;
    return OkStatus();
  }

  // Reads what the source wrote; false at its end.
  bool Read(int wait_ms) {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, wait_ms) <= 0) return true;
    char buffer[1 << 14];
    const ssize_t size = read(fd_, buffer, sizeof(buffer));
    if (size <= 0) return false;
    rest_.append(buffer, static_cast<size_t>(size));
    for (size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
      Take(rest_.substr(0, end));
      rest_.erase(0, end + 1);
    }
    return true;
  }

  void Take(const std::string& line) {
    std::istringstream in(line);
    std::string what;
    in >> what;
    size_t writer = 0;
    int64_t number = 0;
    if (what == "O") {
      open_ = true;
    } else if (what == "K") {
      // What was acknowledged by now must be in it.
      begun_backup_ = true;
      backup_least_ = now_.least;
    } else if (what == "D") {
      uint64_t id = 0;
      in >> id;
      bounds_[id] = {backup_least_, now_.most};
      begun_backup_ = false;
      // The first of a life removes older ones.
      while (made_in_life_ == 0 && bounds_.size() > kKept) bounds_.erase(bounds_.begin());
      ++made_;
      ++made_in_life_;
    } else if (what == "X") {
      error_ = Violation("the source: " + line);
    } else {
      in >> writer >> number;
      if (what != "B") now_.least.at(writer) = number;
      if (what != "A") now_.most.at(writer) = number;
    }
  }

  // While the source works, backups of it are restored, and the restores are killed.
  Status Live() {
    const auto open_until = Clock::now() + kOpenMax;
    while (!open_) {
      if (!Read(10) || !error_.ok()) return Violation("the source ended: " + error_.ToString());
      if (Clock::now() > open_until) return Violation("the source does not open");
    }
    const auto until = Clock::now() + Milliseconds(random_.Below(kLifeMsMax));
    while (Clock::now() < until) {
      if (!Read(2) || !error_.ok()) return Violation("the source ended: " + error_.ToString());
      if (made_in_life_ == 0 || !random_.OneIn(20)) continue;
      RETURN_IF_ERROR(TryRestore(AnyBackup(), random_.Below(kRestoreMsMax)).status());
    }
    return OkStatus();
  }

  uint64_t AnyBackup() { return std::next(bounds_.begin(), random_.Below(bounds_.size()))->first; }

  // Each backup that is listed is whole, also after a kill in the midst of the next one.
  Status CheckBackups() {
    std::error_code error;
    if (!std::filesystem::exists(folders_.backups, error)) return OkStatus();
    ASSIGN_OR_RETURN(const std::vector<BackupInfo> backups, ListBackups(folders_.backups));
    std::map<uint64_t, Bounds> listed;
    for (const BackupInfo& backup : backups) {
      const auto known = bounds_.find(backup.id);
      if (known != bounds_.end()) {
        listed[backup.id] = known->second;
      } else if (begun_backup_) {
        // It was done, and the process was killed before it said so.
        listed[backup.id] = {backup_least_, now_.most};
        begun_backup_ = false;
      } else {
        return Violation("a backup that nobody made: " + std::to_string(backup.id));
      }
    }
    if (!bounds_.empty() && !listed.contains(bounds_.rbegin()->first)) {
      return Violation("the newest backup is gone");
    }
    bounds_ = std::move(listed);
    ASSIGN_OR_RETURN(const std::vector<BackupProblem> problems,
                     VerifyBackups(folders_.backups, 0, {}));
    if (problems.empty()) return OkStatus();
    return Violation("backup " + std::to_string(problems[0].backup) + ": " + problems[0].what);
  }

  // Restores after two restores that were killed.
  Status RestoreAtLast() {
    if (bounds_.empty()) return OkStatus();
    for (int attempt = 0; attempt < 2; ++attempt) {
      RETURN_IF_ERROR(TryRestore(AnyBackup(), random_.Below(kRestoreMsMax)).status());
    }
    const uint64_t id = AnyBackup();
    ASSIGN_OR_RETURN(const bool done, TryRestore(id, UINT64_MAX));
    return done ? OkStatus() : Violation("backup " + std::to_string(id) + " is not restored");
  }

  // True if it was done before it was killed; then what it restored was right.
  Result<bool> TryRestore(uint64_t id, uint64_t kill_after_ms) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) return ErrnoStatus(errno, "fork");
    if (child == 0) {
      const Status status = RestoreBackup({folders_.backups, id}, folders_.restored, {}).status();
      if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
      _exit(status.ok() ? 0 : 3);
    }
    const auto begun = Clock::now();
    int ended = 0;
    bool killed = false;
    while (waitpid(child, &ended, WNOHANG) == 0) {
      if (open_) Read(1);
      usleep(500);
      if (killed || Clock::now() - begun < Milliseconds(std::min<uint64_t>(kill_after_ms, 60'000)))
        continue;
      kill(child, SIGKILL);
      killed = true;
    }
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 3) return Violation("a restore failed");
    const bool done = WIFEXITED(ended);
    if (!done) ++restores_killed_;
    RETURN_IF_ERROR(CheckRestoredFolder(id, done));
    return done;
  }

  Status CheckRestoredFolder(uint64_t id, bool done) {
    const Status usable = CheckRestored(folders_.restored);
    std::error_code error;
    const bool there = std::filesystem::exists(folders_.restored / "db", error);
    if (!usable.ok()) {
      if (!done && usable.code() == StatusCode::kFailedPrecondition) return OkStatus();
      return usable;
    }
    if (!there) return done ? Violation("a restore that left nothing") : OkStatus();
    // Nothing says that it was cut off, so it must be whole.
    const Status status =
        RunInChild([&](Figures*) { return CheckCopy(bounds_.at(id)); }, 300, nullptr);
    RETURN_IF_ERROR(status.WithContext("restored from backup " + std::to_string(id)));
    std::filesystem::remove_all(folders_.restored);
    ++restored_;
    return OkStatus();
  }

  Status CheckCopy(const Bounds& bounds) {
    CheckOptions options;
    options.dir = folders_.restored;
    options.memory_bytes = 16 << 20;
    ASSIGN_OR_RETURN(const CheckReport report, CheckData(options, {}));
    if (report.count > 0) return Violation("verify found: " + report.findings[0].what);
    ASSIGN_OR_RETURN(const World world, OpenWorld(folders_.restored / "db"));
    ASSIGN_OR_RETURN(const Numbers numbers, CheckNumbered(world, seed_, bounds.least, bounds.most));
    return NumberedStep(world, seed_, 0, numbers[0] + 1);
  }

  const Folders folders_;
  const uint64_t seed_;
  Random random_;
  Bounds now_;
  std::map<uint64_t, Bounds> bounds_;  // of backups
  // The source of this cycle.
  pid_t source_ = 0;
  int fd_ = -1;
  std::string rest_;  // a line that is not whole
  Status error_;
  bool open_ = false;
  bool begun_backup_ = false;
  Numbers backup_least_{};
  int made_in_life_ = 0;
  // What was done.
  uint64_t made_ = 0;
  uint64_t backups_killed_ = 0;
  uint64_t restored_ = 0;
  uint64_t restores_killed_ = 0;
};

}  // namespace

Status RunBackup(const DrillOptions& options) {
  const uint64_t all = options.count != 0 ? options.count : kShort;
  const uint64_t units = (all + kCyclesOfUnit - 1) / kCyclesOfUnit;
  return RunUnits(options, units, [&](uint64_t unit, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "backup");
    const uint64_t cycles = std::min(kCyclesOfUnit, all - unit * kCyclesOfUnit);
    return BackupCycles(folder.path(), Mixed(options.seed, unit, 11)).Run(cycles, figures);
  });
}

}  // namespace ragstone::index::reliability

// A disk that fails while writers work. Covers index/internal/testing/faulty_disk.cc.
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "index/internal/closing_list.h"
#include "index/internal/testing/faulty_disk.h"
#include "tests/reliability/ledger.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 50;
constexpr size_t kWriters = 4;
constexpr int kOperationsBefore = 30;
constexpr int kOperationsUnder = 80;
constexpr int kReadAttempts = 20;

enum class Kind : uint8_t {
  kReadErrors,
  kWriteErrors,
  kSyncErrors,
  kMetadataErrors,
  kNoSpace,
  kShortWrites,
  kPowerCut,
};
constexpr std::array<const char*, 7> kKindNames = {
    "read errors", "write errors", "sync errors", "metadata errors",
    "no space",    "short writes", "power cut"};

// What the disk's errors may become.
bool IsProper(const Status& status) {
  switch (status.code()) {
    case StatusCode::kResourceExhausted:
      return status.reason() == Reason::kDiskFull;
    case StatusCode::kInternal:
      return status.reason() == Reason::kIo;
    case StatusCode::kDataLoss:
    case StatusCode::kUnavailable:
      return true;
    default:
      return false;
  }
}

class FaultRun {
 public:
  FaultRun(const std::filesystem::path& dir, uint64_t seed, uint64_t unit)
      : dir_(dir), seed_(seed), random_(seed), kind_(static_cast<Kind>(unit % 7)) {
    ledger_.seed = seed;
    ledger_.writers.resize(kWriters);
    options_.memory_bytes = 2 << 20;  // so that it flushes and compacts
  }

  Status Run(Figures* figures) {
    RETURN_IF_ERROR(WithFaults().WithContext(kKindNames[static_cast<size_t>(kind_)]));
    // What the drill lost or broke, the list of files that were closed in order does not know.
    std::error_code ignored;
    if (kind_ == Kind::kPowerCut) std::filesystem::remove(dir_ / kClosingListFile, ignored);
    const std::string where =
        std::string("reopened after ") + kKindNames[static_cast<size_t>(kind_)];
    Result<World> world = OpenWorld(dir_, options_);
    RETURN_IF_ERROR(world.status().WithContext(where));
    RETURN_IF_ERROR(CheckLedger(world->records.get(), &ledger_, {}).WithContext(where));
    *figures = {{"kind", static_cast<double>(kind_)},
                {"failed_operations", static_cast<double>(failed_)},
                {"errors", static_cast<double>(errors_.load())},
                {"healed", healed_ ? 1.0 : 0.0}};
    return OkStatus();
  }

 private:
  Status WithFaults() {
    FaultyDisk disk(Mixed(seed_, 1));
    Result<World> world = OpenWorld(dir_, options_);
    RETURN_IF_ERROR(world.status());
    RETURN_IF_ERROR(world->records->CreateCollection(LedgerSpec()).status());
    RETURN_IF_ERROR(AllWriters(*world, kOperationsBefore, /*faults=*/false));
    disk.Set(RandomFaults());
    std::thread later([&] { ChangeLater(&disk); });
    const Status status = AllWriters(*world, kOperationsUnder, /*faults=*/true);
    later.join();
    RETURN_IF_ERROR(status);
    if (kind_ != Kind::kPowerCut) {
      disk.Set({});
      RETURN_IF_ERROR(Heal(*world));
    }
    failed_ = disk.failed();
    world->Close();
    if (kind_ == Kind::kPowerCut) disk.LoseUnsynced();
    return OkStatus();
  }

  FaultyDisk::Faults RandomFaults() {
    FaultyDisk::Faults faults;
    const uint64_t one_in = 5 + random_.Below(1000);
    switch (kind_) {
      case Kind::kReadErrors:
      case Kind::kWriteErrors:
      case Kind::kSyncErrors:
      case Kind::kMetadataErrors:
        faults.one_in[static_cast<size_t>(kind_)] = one_in / 10 + 2;
        break;
      case Kind::kNoSpace:
        faults.room_bytes = random_.Below(200'000);
        break;
      case Kind::kShortWrites:
        faults.short_write_one_in = one_in;
        break;
      case Kind::kPowerCut:
        break;
    }
    return faults;
  }

  // A power cut comes while the writers work; room comes back while they wait for it.
  void ChangeLater(FaultyDisk* disk) {
    if (kind_ == Kind::kPowerCut) {
      usleep(static_cast<useconds_t>(random_.Below(150'000)));
      disk->CutPower();
    } else if (kind_ == Kind::kNoSpace) {
      usleep(static_cast<useconds_t>(100'000 + random_.Below(700'000)));
      disk->Set({});
    }
  }

  Status AllWriters(const World& world, int operations, bool faults) {
    std::vector<Status> statuses(kWriters);
    std::vector<std::thread> threads;
    for (size_t writer = 0; writer < kWriters; ++writer) {
      threads.emplace_back([&, writer] {
        LedgerWriter work(world.records.get(), &ledger_, writer,
                          Mixed(seed_, writer, faults ? 3 : 2));
        statuses[writer] = OneWriter(&work, writer, operations, faults);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Status& status : statuses) RETURN_IF_ERROR(status);
    return OkStatus();
  }

  Status OneWriter(LedgerWriter* work, size_t writer, int operations, bool faults) {
    for (int i = 0; i < operations; ++i) {
      const Status status = work->Step({});
      if (status.ok()) continue;
      if (!faults || !IsProper(status)) {
        return Violation("writer " + std::to_string(writer) + ": " + status.ToString());
      }
      ++errors_;
      if (kind_ == Kind::kPowerCut) return OkStatus();
      if (ledger_.writers[writer].pending.empty()) continue;  // it was a read
      for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        const Status seen = work->CheckNothingDone();
        if (seen.ok()) break;
        if (!IsProper(seen)) return seen;
      }
      if (ledger_.writers[writer].pending.size() >= kPendingMax) break;
    }
    return OkStatus();
  }

  // With the disk in order again, writing goes on; at the latest after a restart.
  Status Heal(const World& world) {
    LedgerWriter work(world.records.get(), &ledger_, 0, Mixed(seed_, 9));
    for (int attempt = 0; attempt < 5 && !healed_; ++attempt) {
      if (ledger_.writers[0].pending.size() >= kPendingMax) break;
      const Status status = work.Step({});
      if (!status.ok() && !IsProper(status)) return status;
      healed_ = status.ok();
    }
    if (kind_ == Kind::kNoSpace && !healed_ && ledger_.writers[0].pending.size() < kPendingMax) {
      return Violation("there is room again, and writing does not go on");
    }
    return OkStatus();
  }

  const std::filesystem::path dir_;
  const uint64_t seed_;
  Random random_;
  const Kind kind_;
  WorldOptions options_;
  Ledger ledger_;
  uint64_t failed_ = 0;
  std::atomic<uint64_t> errors_{0};
  bool healed_ = false;
};

}  // namespace

Status RunFaults(const DrillOptions& options) {
  const uint64_t units = options.count != 0 ? options.count : kShort;
  return RunUnits(options, units, [&](uint64_t unit, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "faults");
    return FaultRun(folder.path() / "data", Mixed(options.seed, unit), unit).Run(figures);
  });
}

}  // namespace ragstone::index::reliability

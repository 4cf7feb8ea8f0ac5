// A disk without room: a small file system in memory where that is allowed, else FaultyDisk.
#include <sched.h>
#include <sys/mount.h>

#include <memory>

#include "base/file.h"
#include "index/internal/testing/faulty_disk.h"
#include "tests/reliability/ledger.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 2;
constexpr uint64_t kBallast = 24 << 20;
constexpr const char* kMountOptions = "size=64m";
constexpr uint64_t kRoom = 16 << 20;  // of the faulty disk
constexpr uint32_t kFillerDimensions = 2048;
constexpr size_t kFillerRecords = 60;
constexpr int kFillersMax = 400;
constexpr std::string_view kFiller = "filler";

// A file system of its own for this process, which ends with it.
bool MountSmall(const std::filesystem::path& dir) {
  if (unshare(CLONE_NEWNS) != 0) return false;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return mount("none", dir.c_str(), "tmpfs", 0, kMountOptions) == 0;
}

class FullDisk {
 public:
  FullDisk(const std::filesystem::path& dir, uint64_t seed)
      : mounted_(MountSmall(dir)), dir_(dir), seed_(seed), random_(seed) {
    ledger_.seed = seed;
    ledger_.writers.resize(2);
  }

  Status Run(Figures* figures) {
    std::unique_ptr<FaultyDisk> disk;
    if (mounted_) {
      RETURN_IF_ERROR(WriteFileAtomically(Ballast(), std::string(kBallast, 'b')));
    } else {
      disk = std::make_unique<FaultyDisk>(seed_);
    }
    WorldOptions options;
    options.memory_bytes = 8 << 20;
    {
      ASSIGN_OR_RETURN(const World world, OpenWorld(dir_ / "data", options));
      RETURN_IF_ERROR(Prepare(world));
      if (disk != nullptr) {
        FaultyDisk::Faults faults;
        faults.room_bytes = kRoom;
        disk->Set(faults);
      }
      RETURN_IF_ERROR(Fill(world));
      RETURN_IF_ERROR(CheckReads(world).WithContext("with a full disk"));
      if (disk != nullptr) disk->Set({});
      std::filesystem::remove(Ballast());
      RETURN_IF_ERROR(CheckHealed(world));
    }
    ASSIGN_OR_RETURN(const World world, OpenWorld(dir_ / "data", options));
    RETURN_IF_ERROR(CheckLedger(world.records.get(), &ledger_, {}).WithContext("reopened"));
    *figures = {{"mounted", mounted_ ? 1.0 : 0.0}, {"fillers", static_cast<double>(fillers_)}};
    return OkStatus();
  }

 private:
  std::filesystem::path Ballast() const { return dir_ / "ballast"; }

  Status Prepare(const World& world) {
    RETURN_IF_ERROR(world.records->CreateCollection(LedgerSpec()).status());
    RecordCollectionSpec spec;
    spec.name = kFiller;
    VectorField field;
    field.dimensions = kFillerDimensions;
    spec.vectors = {field};
    RETURN_IF_ERROR(world.records->CreateCollection(spec).status());
    LedgerWriter first(world.records.get(), &ledger_, 0, Mixed(seed_, 1));
    LedgerWriter second(world.records.get(), &ledger_, 1, Mixed(seed_, 2));
    for (int i = 0; i < 40; ++i) {
      RETURN_IF_ERROR(first.Step({}));
      RETURN_IF_ERROR(second.Step({}));
    }
    return OkStatus();
  }

  // Writes until the disk is full.
  Status Fill(const World& world) {
    for (fillers_ = 0; fillers_ < kFillersMax; ++fillers_) {
      std::vector<Record> batch;
      for (size_t i = 0; i < kFillerRecords; ++i) {
        Record record;
        record.id = std::to_string(fillers_) + "-" + std::to_string(i);
        record.vectors[""] = NormalVector(&random_, kFillerDimensions);
        batch.push_back(std::move(record));
      }
      const Status status = world.records->Upsert(kFiller, std::move(batch), {}, {}).status();
      if (status.ok()) continue;
      if (status.code() == StatusCode::kResourceExhausted && status.reason() == Reason::kDiskFull) {
        return OkStatus();
      }
      return Violation("a write to a full disk returned " + status.ToString());
    }
    return Violation("the disk did not become full");
  }

  Status CheckReads(const World& world) {
    ASSIGN_OR_RETURN(const uint64_t fillers, world.records->Count(kFiller, Everything(), {}));
    if (fillers != static_cast<uint64_t>(fillers_) * kFillerRecords) {
      return Violation("a write that was refused shows, or one that was not is gone");
    }
    return CheckLedger(world.records.get(), &ledger_, {});
  }

  Status CheckHealed(const World& world) {
    LedgerWriter work(world.records.get(), &ledger_, 0, Mixed(seed_, 3));
    Status status;
    for (int attempt = 0; attempt < 20; ++attempt) {
      status = work.Step({});
      if (status.ok() && attempt >= 10) return OkStatus();
      if (!status.ok() && status.code() != StatusCode::kResourceExhausted) return status;
      if (ledger_.writers[0].pending.size() >= kPendingMax) break;
    }
    return Violation("there is room again, and writing does not go on: " + status.ToString());
  }

  const bool mounted_;
  const std::filesystem::path dir_;
  const uint64_t seed_;
  Random random_;
  Ledger ledger_;
  int fillers_ = 0;
};

}  // namespace

Status RunDiskFull(const DrillOptions& options) {
  const uint64_t units = options.count != 0 ? options.count : kShort;
  return RunUnits(options, units, [&](uint64_t unit, Figures* figures) {
    const ScratchFolder folder(options.dir, "disk-full");
    return FullDisk(folder.path(), Mixed(options.seed, unit)).Run(figures);
  });
}

}  // namespace ragstone::index::reliability

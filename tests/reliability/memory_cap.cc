// Memory that runs out: writes are refused before the process is killed for it.
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tests/reliability/ledger.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 1;
constexpr std::string_view kFiller = "filler";
constexpr size_t kBatch = 50;
constexpr uint64_t kBatchesMax = 20'000;
constexpr uint64_t kLimitMin = 12 << 20;
constexpr uint64_t kLimitMax = 40 << 20;
constexpr uint64_t kDatabaseBytes = 8 << 20;
// Beside the limits, of which that of records counts twice because parts are merged into new ones:
// stacks, batches, buffers, what the allocator keeps.
constexpr uint64_t kSlack = 64 << 20;
constexpr uint64_t kMargin = 8 << 20;
// OpenBLAS, which FAISS uses, reserves a buffer of 128 MiB for each thread that calls it, touches
// little of it, and asks for ever where it gets none.
constexpr uint64_t kBlasBuffers = 256 << 20;
constexpr size_t kStackBytes = 512 << 10;
constexpr uint32_t kDimensions[] = {32, 256, 1024};
constexpr int kHealAttempts = 50;

// Addresses of this process, as RLIMIT_AS counts them.
uint64_t AddressBytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t pages = 0;
  in >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// The most memory that was resident at a time.
uint64_t PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) << 10;
}

bool IsRefusal(const Status& status) {
  return status.code() == StatusCode::kResourceExhausted && status.reason() == Reason::kMemoryLimit;
}

class MemoryCap {
 public:
  MemoryCap(const std::filesystem::path& dir, uint64_t seed)
      : dir_(dir),
        seed_(seed),
        random_(Mixed(seed, 1)),
        limit_(kLimitMin + random_.Below(kLimitMax - kLimitMin)) {
    ledger_.seed = seed;
    ledger_.writers.resize(1);
    field_.dimensions = kDimensions[random_.Below(std::size(kDimensions))];
    field_.storage = random_.OneIn(2) ? VectorStorage::kFloat32 : VectorStorage::kInt8;
  }

  Status Run(Figures* figures) {
    uint64_t filled = 0;
    {
      ASSIGN_OR_RETURN(const World world, Open());
      RETURN_IF_ERROR(Prepare(world));
      RETURN_IF_ERROR(CapProcess());
      RETURN_IF_ERROR(Fill(world));
      filled = next_;
      peak_filled_ = PeakBytes();
      RETURN_IF_ERROR(CheckReads(world).WithContext("with full memory"));
      peak_read_ = PeakBytes();
      RETURN_IF_ERROR(DeleteMost(world));
      RETURN_IF_ERROR(GoOn(world));
      RETURN_IF_ERROR(CheckReads(world).WithContext("after deletes"));
    }
    ASSIGN_OR_RETURN(const World world, Open());
    RETURN_IF_ERROR(CheckReads(world).WithContext("reopened"));
    if (!Sanitized() && PeakBytes() > resident_before_ + Allowed()) {
      return Violation("it grew by " + std::to_string(PeakBytes() - resident_before_) +
                       " bytes, which is more than the " + std::to_string(Allowed()) + " allowed");
    }
    *figures = {{"limit_mib", static_cast<double>(limit_) / 0x1p20},
                {"dimensions", static_cast<double>(field_.dimensions)},
                {"records", static_cast<double>(filled)},
                {"rss_filled_mib", Grown(peak_filled_)},
                {"rss_read_mib", Grown(peak_read_)},
                {"rss_end_mib", Grown(PeakBytes())}};
    return OkStatus();
  }

 private:
  // How much more is resident than before the filling, in MiB.
  double Grown(uint64_t peak) const {
    return static_cast<double>(peak - std::min(peak, resident_before_)) / 0x1p20;
  }

  // By how much the process may grow.
  uint64_t Allowed() const { return 2 * limit_ + kDatabaseBytes + kSlack; }

  Result<World> Open() {
    WorldOptions options;
    options.memory_bytes = kDatabaseBytes;
    options.record_memory_bytes = limit_;
    return OpenWorld(dir_, options);
  }

  Status Prepare(const World& world) {
    RETURN_IF_ERROR(world.records->CreateCollection(LedgerSpec()).status());
    RecordCollectionSpec spec;
    spec.name = kFiller;
    spec.vectors = {field_};
    spec.schema = *Schema::Create({{"number", FieldType::kInteger}});
    RETURN_IF_ERROR(world.records->CreateCollection(spec).status());
    LedgerWriter writer(world.records.get(), &ledger_, 0, Mixed(seed_, 2));
    for (int i = 0; i < 40; ++i) RETURN_IF_ERROR(writer.Step({}));
    return OkStatus();
  }

  // From now on an allocation beyond what the limits allow ends the process, which is a finding.
  Status CapProcess() {
    resident_before_ = ResidentBytes();
    if (Sanitized()) return OkStatus();
    // The limit counts what is reserved, touched or not: of stacks, and for each thread's heap.
    mallopt(M_ARENA_MAX, 1);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, kStackBytes);
    if (pthread_setattr_default_np(&small) != 0) return Violation("the stack's size was refused");
    cap_ = AddressBytes() + Allowed() + kBlasBuffers;
    const rlimit limit{cap_, cap_};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return ErrnoStatus(errno, "set a limit of memory");
    return OkStatus();
  }

  Record MakeRecord(uint64_t number) const {
    Record record;
    record.id = "f" + std::to_string(number);
    Random random(Mixed(seed_, number, 3));
    record.vectors[""] = NormalVector(&random, field_.dimensions);
    record.payload["number"] = static_cast<int64_t>(number);
    return record;
  }

  Status PutBatch(const World& world) {
    std::vector<Record> batch;
    for (uint64_t i = 0; i < kBatch; ++i) batch.push_back(MakeRecord(next_ + i));
    const Status status = world.records->Upsert(kFiller, std::move(batch), {}, {}).status();
    if (status.ok()) next_ += kBatch;
    return status;
  }

  // Until writes are refused, and stay refused.
  Status Fill(const World& world) {
    int refused = 0;
    for (uint64_t i = 0; i < kBatchesMax && refused < 3; ++i) {
      const Status status = PutBatch(world);
      if (!status.ok() && !IsRefusal(status)) {
        return Violation("a write beyond the memory limit returned " + status.ToString());
      }
      refused = status.ok() ? 0 : refused + 1;
      // What was indexed meanwhile may take less.
      if (refused == 1) RETURN_IF_ERROR(Maintain(world));
    }
    if (refused == 0) return Violation("memory did not run out");
    // An allocation that fails is refused as well, but then it is too late.
    if (AddressBytes() + kMargin <= cap_) return OkStatus();
    return Violation("nothing was refused before the process came to its limit");
  }

  Status Maintain(const World& world) {
    const Status status = MaintainAll(world, kFiller);
    return status.ok() || IsRefusal(status) ? OkStatus() : status;
  }

  Status CheckReads(const World& world) {
    ASSIGN_OR_RETURN(const uint64_t count, world.records->Count(kFiller, Everything(), {}));
    if (count != next_ - first_) {
      return Violation(std::to_string(count) + " records instead of " +
                       std::to_string(next_ - first_));
    }
    for (int i = 0; i < 20; ++i) {
      const Record expected = MakeRecord(first_ + random_.Below(next_ - first_));
      const std::vector<std::string> ids = {expected.id};
      ReadOptions options;
      options.vectors = true;
      ASSIGN_OR_RETURN(const std::vector<Record> found, world.records->Get(kFiller, ids, options));
      if (found.size() != 1 || found[0].vectors != expected.vectors) {
        return Violation(expected.id + " is not what was written");
      }
      RecordSearch search;
      search.vector = expected.vectors.at("");
      search.top_k = 1;
      ASSIGN_OR_RETURN(const std::vector<RecordHit> hits,
                       world.records->Search(kFiller, search, {}));
      if (hits.size() != 1 || hits[0].record.id != expected.id) {
        return Violation(expected.id + " is not found by its vector");
      }
    }
    return CheckLedger(world.records.get(), &ledger_, {});
  }

  Status DeleteMost(const World& world) {
    while (first_ < next_ / 4 * 3) {
      std::vector<std::string> ids;
      for (size_t i = 0; i < kBatch; ++i) ids.push_back(MakeRecord(first_ + i).id);
      RETURN_IF_ERROR(world.records->Delete(kFiller, ids, {}, {})
                          .status()
                          .WithContext("a deletion with full memory"));
      first_ += kBatch;
    }
    return OkStatus();
  }

  Status GoOn(const World& world) {
    Status status;
    for (int attempt = 0; attempt < kHealAttempts; ++attempt) {
      RETURN_IF_ERROR(Maintain(world));
      status = PutBatch(world);
      if (status.ok()) return OkStatus();
      if (!IsRefusal(status)) return status;
    }
    return Violation("most was deleted, and writing does not go on: " + status.ToString());
  }

  const std::filesystem::path dir_;
  const uint64_t seed_;
  Random random_;
  const uint64_t limit_;
  VectorField field_;
  Ledger ledger_;
  uint64_t cap_ = UINT64_MAX;
  uint64_t resident_before_ = 0;
  uint64_t peak_filled_ = 0;
  uint64_t peak_read_ = 0;
  uint64_t first_ = 0;  // records [first_, next_) are there
  uint64_t next_ = 0;
};

}  // namespace

Status RunMemoryCap(const DrillOptions& options) {
  const uint64_t units = options.count != 0 ? options.count : kShort;
  return RunUnits(options, units, [&](uint64_t unit, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "memory-cap");
    return MemoryCap(folder.path() / "data", Mixed(options.seed, unit)).Run(figures);
  });
}

}  // namespace ragstone::index::reliability

// The same work on the same number of records, over and over: memory must not grow.
#include <malloc.h>

#include <algorithm>
#include <array>
#include <thread>

#include "tests/reliability/world.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 3'000;
constexpr size_t kThreads = 2;
constexpr uint64_t kIds = 2000;
constexpr uint32_t kDimensions = 64;
constexpr double kGrowthMax = 1.02;
constexpr double kShortGrowthMax = 1.10;
constexpr uint64_t kLongMemoryBytes = 8 << 20;
constexpr uint64_t kShortMemoryBytes = 2 << 20;
// Warm-up ends when the block cache is as full as it gets, and a day has passed, for which request
// ids are kept: a day of the drill is so many operations.
constexpr uint64_t kOperationsOfDay = 10'000;
constexpr uint64_t kWarmRound = 4'000;
// In the long size the heaps of the allocator, too, have about the size that they keep by then.
constexpr uint64_t kLongWarmUp = 60'000;
constexpr int kWarmRoundsMax = 30;
constexpr double kFullCache = 0.96;
constexpr size_t kPlaces = 5;
constexpr int64_t kDayNs = 24LL * 3600 * 1'000'000'000;
constexpr std::string_view kName = "soak";

RecordCollectionSpec Spec() {
  RecordCollectionSpec spec;
  spec.name = kName;
  VectorField field;
  field.dimensions = kDimensions;
  field.method = VectorMethod::kHnsw;
  spec.vectors = {field};
  spec.schema = *Schema::Create(
      {{"kind", FieldType::kInteger}, {"group", FieldType::kKeyword}, {"body", FieldType::kText}});
  return spec;
}

Status Step(RecordDatabase* records, Random* random) {
  const auto id = [&] { return "r" + std::to_string(random->Below(kIds)); };
  const uint64_t dice = random->Below(10);
  if (dice < 4) {
    Record record;
    record.id = id();
    record.vectors[""] = NormalVector(random, kDimensions);
    record.payload["kind"] = static_cast<int64_t>(random->Below(10));
    record.payload["group"] = "g" + std::to_string(random->Below(50));
    record.payload["body"] =
        "word" + std::to_string(random->Below(500)) + " word" + std::to_string(random->Below(500));
    WriteOptions options;
    if (random->OneIn(2)) options.request_id = std::to_string(random->Next());
    return records->Upsert(kName, {record}, options, {}).status();
  }
  if (dice == 4) return records->Delete(kName, std::vector<std::string>{id()}, {}, {}).status();
  const Filter filter = Is("kind", static_cast<int64_t>(random->Below(10)));
  if (dice == 5) return records->Scroll(kName, filter, id(), 20, {}, {}).status();
  RecordSearch search;
  if (dice < 9) search.vector = NormalVector(random, kDimensions);
  if (dice >= 8) search.text = "word" + std::to_string(random->Below(500));
  if (random->OneIn(2)) search.filter = filter;
  return records->Search(kName, search, {}).status();
}

class Soak {
 public:
  Soak(const std::filesystem::path& dir, const DrillOptions& options)
      : dir_(dir),
        seed_(options.seed),
        long_(options.count != 0),
        operations_(long_ ? options.count : kShort) {}

  Status Run(Figures* figures) {
    WorldOptions options;
    options.memory_bytes = long_ ? kLongMemoryBytes : kShortMemoryBytes;
    options.seal_rows = 500;
    options.clock = &clock_;
    ASSIGN_OR_RETURN(world_, OpenWorld(dir_, options));
    RETURN_IF_ERROR(world_.records->CreateCollection(Spec()).status());
    RETURN_IF_ERROR(WarmUp(options.memory_bytes));
    figures->emplace_back("warm_up_operations", static_cast<double>(done_));
    double resident[4] = {};
    for (uint64_t quarter = 0; quarter < 4; ++quarter) {
      ASSIGN_OR_RETURN(resident[quarter], WorkQuarter());
      figures->emplace_back("rss_mib_" + std::to_string(quarter + 1), resident[quarter] / 0x1p20);
    }
    const double growth = resident[3] / resident[0];
    figures->emplace_back("operations_of_quarter", static_cast<double>(operations_));
    figures->emplace_back("in_use_mib", static_cast<double>(mallinfo2().uordblks) / 0x1p20);
    figures->emplace_back("growth", growth);
    if (growth <= (long_ ? kGrowthMax : kShortGrowthMax) || Sanitized()) return OkStatus();
    return Violation("resident memory grew from " + std::to_string(resident[0] / 0x1p20) + " to " +
                     std::to_string(resident[3] / 0x1p20) + " MiB");
  }

 private:
  // Until every cache is full: before that, memory grows as it should.
  Status WarmUp(uint64_t memory_bytes) {
    const double full = kFullCache * static_cast<double>(memory_bytes) * 3 / 4;
    for (int round = 0; round < kWarmRoundsMax; ++round) {
      RETURN_IF_ERROR(Work(kWarmRound));
      const auto cached = static_cast<double>(BlockCacheBytes(world_));
      const uint64_t least = long_ ? kLongWarmUp : kOperationsOfDay;
      if (cached >= full && done_ >= least) return OkStatus();
    }
    return Violation("the block cache does not become full");
  }

  // Returns the median of what is resident at places of the quarter: parts that wait to be merged
  // make it go up and down.
  Result<double> WorkQuarter() {
    std::array<double, kPlaces> resident{};
    for (double& bytes : resident) {
      RETURN_IF_ERROR(Work(operations_ / kPlaces));
      bytes = static_cast<double>(ResidentBytes());
    }
    std::sort(resident.begin(), resident.end());
    return resident[kPlaces / 2];
  }

  Status Work(uint64_t operations) {
    std::vector<Status> statuses(kThreads);
    std::vector<std::thread> threads;
    for (size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        Random random(Mixed(seed_, thread, done_));
        for (uint64_t i = 0; i < operations / kThreads && statuses[thread].ok(); ++i) {
          clock_.AdvanceNs(kDayNs / static_cast<int64_t>(kOperationsOfDay));
          statuses[thread] = Step(world_.records.get(), &random);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    done_ += operations;
    for (const Status& status : statuses) RETURN_IF_ERROR(status);
    RETURN_IF_ERROR(MaintainAll(world_, kName));
    malloc_trim(0);  // what the allocator keeps for later is no leak
    return OkStatus();
  }

  const std::filesystem::path dir_;
  const uint64_t seed_;
  const bool long_;
  const uint64_t operations_;
  FakeClock clock_{1'700'000'000'000'000'000};
  World world_;
  uint64_t done_ = 0;
};

}  // namespace

Status RunSoak(const DrillOptions& options) {
  return RunUnits(options, 1, [&](uint64_t /*unit*/, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "soak");
    return Soak(folder.path(), options).Run(figures);
  });
}

}  // namespace ragstone::index::reliability

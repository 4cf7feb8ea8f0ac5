// The same work on the same number of records, over and over: memory must not grow.
#include <malloc.h>

#include <algorithm>
#include <thread>

#include "tests/reliability/world.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 8'000;
constexpr size_t kThreads = 2;
constexpr uint64_t kIds = 2000;
constexpr uint32_t kDimensions = 64;
constexpr double kGrowthMax = 1.02;
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

Status Work(const World& world, uint64_t seed, uint64_t operations) {
  std::vector<Status> statuses(kThreads);
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      Random random(Mixed(seed, thread));
      for (uint64_t i = 0; i < operations / kThreads && statuses[thread].ok(); ++i) {
        statuses[thread] = Step(world.records.get(), &random);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Status& status : statuses) RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(MaintainAll(world, kName));
  malloc_trim(0);  // what the allocator keeps for later is no leak
  return OkStatus();
}

Status RunOnce(const std::filesystem::path& dir, const DrillOptions& options, Figures* figures) {
  const uint64_t operations = options.count != 0 ? options.count : kShort;
  WorldOptions world_options;
  world_options.memory_bytes = 8 << 20;
  world_options.seal_rows = 500;
  ASSIGN_OR_RETURN(const World world, OpenWorld(dir, world_options));
  RETURN_IF_ERROR(world.records->CreateCollection(Spec()).status());
  double resident[4] = {};
  for (uint64_t quarter = 0; quarter < 4; ++quarter) {
    RETURN_IF_ERROR(Work(world, Mixed(options.seed, quarter), operations));
    resident[quarter] = static_cast<double>(ResidentBytes());
    figures->emplace_back("rss_mib_" + std::to_string(quarter + 1), resident[quarter] / 0x1p20);
  }
  const double growth = resident[3] / resident[0];
  figures->emplace_back("operations_of_quarter", static_cast<double>(operations));
  figures->emplace_back("growth", growth);
  if (growth <= kGrowthMax || Sanitized() || options.count == 0) return OkStatus();
  return Violation("resident memory grew from " + std::to_string(resident[0] / 0x1p20) + " to " +
                   std::to_string(resident[3] / 0x1p20) + " MiB");
}

}  // namespace

Status RunSoak(const DrillOptions& options) {
  return RunUnits(options, 1, [&](uint64_t /*unit*/, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "soak");
    return RunOnce(folder.path(), options, figures);
  });
}

}  // namespace ragstone::index::reliability

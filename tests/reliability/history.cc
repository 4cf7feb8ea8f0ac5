// One register for each key: what threads read must fit one order of the writes. A read that begins
// after a write was acknowledged sees it or a later one, and no thread sees a key go back.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/reliability/world.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kThreads = 16;
constexpr uint64_t kSecondsShort = 8;
constexpr size_t kKeys = 24;
constexpr uint32_t kDimensions = 8;
constexpr std::string_view kName = "registers";

// What is known of a key by all threads.
struct Register {
  std::atomic<uint64_t> acknowledged{0};  // the highest version that any thread was told
};

class HistoryThread {
 public:
  HistoryThread(RecordDatabase* records, std::vector<Register>* registers, uint64_t thread,
                uint64_t seed)
      : records_(records), registers_(*registers), thread_(thread), random_(seed) {}

  Status Step() {
    const size_t key = random_.Below(kKeys);
    return random_.OneIn(3) ? Write(key) : Read(key);
  }

 private:
  // A value tells the version that it must have: what was written is noted after the write, and a
  // read that comes with another value for the same version is a violation.
  Status Write(size_t key) {
    Record record;
    record.id = "key" + std::to_string(key);
    record.vectors[""] = VectorOf(key);
    record.payload["key"] = static_cast<int64_t>(key);
    const int64_t value = static_cast<int64_t>(thread_ << 40 | ++writes_);
    record.payload["value"] = value;
    ASSIGN_OR_RETURN(const WriteResult result, records_->Upsert(kName, {record}, {}, {}));
    written_[result.version] = value;
    uint64_t before = registers_[key].acknowledged.load();
    while (before < result.version &&
           !registers_[key].acknowledged.compare_exchange_weak(before, result.version)) {
    }
    return OkStatus();
  }

  static DenseVector VectorOf(size_t key) {
    Random random(1000 + key);
    return NormalVector(&random, kDimensions);
  }

  Result<std::vector<Record>> Fetch(size_t key) {
    switch (random_.Below(3)) {
      case 0: {
        const std::vector<std::string> ids = {"key" + std::to_string(key)};
        return records_->Get(kName, ids, {});
      }
      case 1:
        return records_->Scroll(kName, Is("key", static_cast<int64_t>(key)), "", 10, {}, {});
      default: {
        RecordSearch search;
        search.vector = VectorOf(key);
        search.top_k = 1;
        ASSIGN_OR_RETURN(std::vector<RecordHit> hits, records_->Search(kName, search, {}));
        std::vector<Record> records;
        for (RecordHit& hit : hits) records.push_back(std::move(hit.record));
        return records;
      }
    }
  }

  Status Read(size_t key) {
    const std::string name = "key" + std::to_string(key);
    const uint64_t least = std::max(registers_[key].acknowledged.load(), seen_[key]);
    ASSIGN_OR_RETURN(const std::vector<Record> found, Fetch(key));
    if (found.size() > 1) return Violation(name + " is there twice");
    if (found.empty()) return least == 0 ? OkStatus() : Violation(name + " is gone");
    // Before its first write a key's place may be another's in a search.
    if (found[0].id != name) return least == 0 ? OkStatus() : Violation(name + " is not found");
    if (found[0].version < least) {
      return Violation(name + " was read at version " + std::to_string(found[0].version) +
                       " after " + std::to_string(least) + " was acknowledged or seen");
    }
    seen_[key] = found[0].version;
    const auto own = written_.find(found[0].version);
    if (own != written_.end() && found[0].payload.at("value") != PayloadValue(own->second)) {
      return Violation(name + " has another value than was written at its version");
    }
    return OkStatus();
  }

  RecordDatabase* const records_;
  std::vector<Register>& registers_;
  const uint64_t thread_;
  Random random_;
  uint64_t writes_ = 0;
  std::map<uint64_t, int64_t> written_;  // own values by version
  uint64_t seen_[kKeys] = {};
};

Status RunOnce(const std::filesystem::path& dir, const DrillOptions& options, Figures* figures) {
  WorldOptions world_options;
  world_options.seal_rows = 100;
  ASSIGN_OR_RETURN(const World world, OpenWorld(dir, world_options));
  RecordCollectionSpec spec;
  spec.name = kName;
  VectorField field;
  field.dimensions = kDimensions;
  spec.vectors = {field};
  spec.schema = *Schema::Create({{"key", FieldType::kInteger}, {"value", FieldType::kInteger}});
  RETURN_IF_ERROR(world.records->CreateCollection(spec).status());
  const uint64_t threads = options.threads != 0 ? options.threads : kThreads;
  const uint64_t seconds = options.seconds != 0 ? options.seconds : kSecondsShort;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::vector<Register> registers(kKeys);
  std::atomic<uint64_t> operations{0};
  std::atomic<bool> failed{false};
  std::vector<Status> statuses(threads);
  std::vector<std::thread> running;
  for (uint64_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      HistoryThread work(world.records.get(), &registers, thread, Mixed(options.seed, thread));
      while (!failed.load() && std::chrono::steady_clock::now() < until) {
        statuses[thread] = work.Step();
        ++operations;
        if (!statuses[thread].ok()) failed = true;
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  for (const Status& status : statuses) RETURN_IF_ERROR(status);
  *figures = {{"operations", static_cast<double>(operations.load())}};
  return OkStatus();
}

}  // namespace

Status RunHistory(const DrillOptions& options) {
  return RunUnits(options, 1, [&](uint64_t /*unit*/, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "history");
    return RunOnce(folder.path(), options, figures);
  });
}

}  // namespace ragstone::index::reliability

// Deleting half of a collection and replacing a third: what lives is found.
#include <algorithm>
#include <random>

#include "tests/reliability/clusters.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 8'000;
constexpr uint32_t kDimensions = 32;
constexpr size_t kQueries = 100;
constexpr size_t kTopK = 10;
constexpr double kRecallMin = 0.95;
constexpr double kTieMargin = 1e-5;
constexpr size_t kBatch = 1000;
constexpr int kRounds = 3;
constexpr std::string_view kName = "churn";

class ChurnRun {
 public:
  ChurnRun(VectorStorage storage, uint64_t seed, uint64_t records)
      : storage_(storage), clusters_(seed, kDimensions, false), random_(seed), records_(records) {}

  Status Run(const std::filesystem::path& dir, Figures* figures) {
    WorldOptions options;
    options.memory_bytes = 64 << 20;
    options.seal_rows = static_cast<uint32_t>(records_ / 4);
    ASSIGN_OR_RETURN(world_, OpenWorld(dir, options));
    RecordCollectionSpec spec;
    spec.name = kName;
    VectorField field;
    field.dimensions = kDimensions;
    field.storage = storage_;
    field.method = VectorMethod::kHnsw;
    spec.vectors = {field};
    RETURN_IF_ERROR(world_.records->CreateCollection(spec).status());
    vectors_.resize(records_);
    live_.resize(records_);
    std::vector<uint64_t> all(records_);
    for (uint64_t i = 0; i < records_; ++i) all[i] = i;
    RETURN_IF_ERROR(Put(all, 0));
    for (int round = 1; round <= kRounds; ++round) {
      RETURN_IF_ERROR(Churn(static_cast<uint64_t>(round)));
      // Once while the background works, once after it.
      RETURN_IF_ERROR(CheckAll(figures, "recall_during_" + std::to_string(round)));
      RETURN_IF_ERROR(MaintainAll(world_, kName));
      RETURN_IF_ERROR(CheckAll(figures, "recall_" + std::to_string(round)));
    }
    return OkStatus();
  }

 private:
  Status Put(const std::vector<uint64_t>& numbers, uint64_t mark) {
    for (size_t begin = 0; begin < numbers.size(); begin += kBatch) {
      std::vector<Record> batch;
      for (size_t i = begin; i < std::min(begin + kBatch, numbers.size()); ++i) {
        Record record;
        record.id = std::to_string(numbers[i]);
        vectors_[numbers[i]] = clusters_.Make(numbers[i], mark);
        record.vectors[""] = vectors_[numbers[i]];
        live_[numbers[i]] = true;
        batch.push_back(std::move(record));
      }
      RETURN_IF_ERROR(world_.records->Upsert(kName, std::move(batch), {}, {}).status());
    }
    return OkStatus();
  }

  Status Churn(uint64_t round) {
    std::vector<uint64_t> order(records_);
    for (uint64_t i = 0; i < records_; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937_64(random_.Next()));
    for (size_t begin = 0; begin < records_ / 2; begin += kBatch) {
      std::vector<std::string> ids;
      for (size_t i = begin; i < std::min<size_t>(begin + kBatch, records_ / 2); ++i) {
        ids.push_back(std::to_string(order[i]));
        live_[order[i]] = false;
      }
      RETURN_IF_ERROR(world_.records->Delete(kName, ids, {}, {}).status());
    }
    // Some of those deleted come back, and some that live are replaced.
    const size_t from = records_ * 35 / 100;
    return Put(std::vector<uint64_t>(
                   order.begin() + static_cast<std::ptrdiff_t>(from),
                   order.begin() + static_cast<std::ptrdiff_t>(from + records_ * 3 / 10)),
               round);
  }

  Status CheckAll(Figures* figures, const std::string& name) {
    for (uint64_t i = 0; i < records_; ++i) {
      if (!live_[i]) continue;
      RecordSearch search;
      search.vector = vectors_[i];
      search.top_k = 1;
      ASSIGN_OR_RETURN(const std::vector<RecordHit> hits,
                       world_.records->Search(kName, search, {}));
      if (hits.size() == 1 && hits[0].record.id == std::to_string(i)) continue;
      return Violation("record " + std::to_string(i) + " lives and is not found by its vector");
    }
    size_t right = 0;
    for (size_t i = 0; i < kQueries; ++i) {
      RecordSearch search;
      search.vector = clusters_.Make(random_.Next(), 1000);
      search.top_k = kTopK;
      ASSIGN_OR_RETURN(const std::vector<RecordHit> hits,
                       world_.records->Search(kName, search, {}));
      if (hits.size() != kTopK) return Violation("a search gave too few hits");
      const double last = LikenessOfLast(clusters_, vectors_, *search.vector, kTopK,
                                         [&](size_t number) { return live_[number]; });
      for (const RecordHit& hit : hits) {
        const size_t number = std::stoul(hit.record.id);
        if (!live_[number]) return Violation("a deleted record was found");
        right += clusters_.Likeness(*search.vector, vectors_[number]) >= last - kTieMargin;
      }
    }
    const double recall = static_cast<double>(right) / (kQueries * kTopK);
    figures->emplace_back(name, recall);
    return recall >= kRecallMin ? OkStatus() : Violation(name + " is " + std::to_string(recall));
  }

  const VectorStorage storage_;
  const Clusters clusters_;
  Random random_;
  const uint64_t records_;
  World world_;
  std::vector<Vector> vectors_;
  std::vector<bool> live_;
};

}  // namespace

Status RunChurn(const DrillOptions& options) {
  constexpr VectorStorage kStorages[] = {VectorStorage::kInt8, VectorStorage::kFloat32};
  const uint64_t records = options.count != 0 ? options.count : kShort;
  return RunUnits(options, std::size(kStorages), [&](uint64_t unit, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "churn");
    return ChurnRun(kStorages[unit], Mixed(options.seed, unit), records)
        .Run(folder.path(), figures);
  });
}

}  // namespace ragstone::index::reliability

// Filtered searches at falling shares of matches, under every storage and method.
#include <algorithm>

#include "tests/reliability/clusters.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 6'000;
constexpr uint32_t kDimensions = 64;
constexpr size_t kQueries = 30;
constexpr double kShares[] = {0.5, 0.1, 0.01, 0.001, 0.0001};
constexpr size_t kTopKs[] = {10, 100};
constexpr double kRecallMin = 0.95;
constexpr double kTieMargin = 1e-5;  // of cosines, which are computed in another order here
constexpr size_t kBatch = 2000;
constexpr std::string_view kName = "filters";

struct Variant {
  const char* name;
  VectorMetric metric;
  VectorStorage storage;
  VectorMethod method;
};
constexpr Variant kVariants[] = {
    {"float32 auto", VectorMetric::kCosine, VectorStorage::kFloat32, VectorMethod::kAuto},
    {"float32 exact", VectorMetric::kCosine, VectorStorage::kFloat32, VectorMethod::kExact},
    {"float32 graph", VectorMetric::kCosine, VectorStorage::kFloat32, VectorMethod::kHnsw},
    {"float16 graph", VectorMetric::kCosine, VectorStorage::kFloat16, VectorMethod::kHnsw},
    {"int8 auto", VectorMetric::kCosine, VectorStorage::kInt8, VectorMethod::kAuto},
    {"int8 exact", VectorMetric::kCosine, VectorStorage::kInt8, VectorMethod::kExact},
    {"int8 graph", VectorMetric::kCosine, VectorStorage::kInt8, VectorMethod::kHnsw},
    {"int8 ivf-pq", VectorMetric::kCosine, VectorStorage::kInt8, VectorMethod::kIvfPq},
    {"int8 lsh", VectorMetric::kCosine, VectorStorage::kInt8, VectorMethod::kLsh},
    {"binary graph", VectorMetric::kCosine, VectorStorage::kBinary, VectorMethod::kHnsw},
    {"bits auto", VectorMetric::kHamming, VectorStorage::kBinary, VectorMethod::kAuto},
    {"bits graph", VectorMetric::kHamming, VectorStorage::kBinary, VectorMethod::kHnsw},
};

class FilterRun {
 public:
  FilterRun(const Variant& variant, uint64_t seed, uint64_t records)
      : variant_(variant),
        records_(records),
        clusters_(seed, kDimensions, variant.metric == VectorMetric::kHamming) {}

  Status Run(const std::filesystem::path& dir, Figures* figures) {
    WorldOptions options;
    options.memory_bytes = 64 << 20;
    options.seal_rows = static_cast<uint32_t>(records_ / 3);
    ASSIGN_OR_RETURN(world_, OpenWorld(dir, options));
    RETURN_IF_ERROR(Fill());
    for (const double share : kShares) {
      for (const size_t k : kTopKs) {
        ASSIGN_OR_RETURN(const double recall, Measure(share, k));
        const std::string what =
            "recall_" + std::to_string(k) + "_at_" + std::to_string(share).substr(0, 6);
        figures->emplace_back(what, recall);
        if (recall < kRecallMin) {
          return Violation(std::string(variant_.name) + ": " + what + " is " +
                           std::to_string(recall));
        }
      }
    }
    return OkStatus();
  }

 private:
  // A permutation of the numbers, so that a share of them is spread over everything.
  int64_t RankOf(uint64_t number) const {
    return static_cast<int64_t>(number * 7919 % records_);  // 7919 is prime
  }

  Status Fill() {
    RecordCollectionSpec spec;
    spec.name = kName;
    VectorField field;
    field.dimensions = kDimensions;
    field.metric = variant_.metric;
    field.storage = variant_.storage;
    field.method = variant_.method;
    spec.vectors = {field};
    spec.schema = *Schema::Create({{"rank", FieldType::kInteger}});
    RETURN_IF_ERROR(world_.records->CreateCollection(spec).status());
    std::vector<Record> batch;
    for (uint64_t i = 0; i < records_; ++i) {
      vectors_.push_back(clusters_.Make(i));
      Record record;
      record.id = std::to_string(i);
      record.vectors[""] = vectors_.back();
      record.payload["rank"] = RankOf(i);
      batch.push_back(std::move(record));
      if (batch.size() < kBatch && i + 1 < records_) continue;
      RETURN_IF_ERROR(world_.records->Upsert(kName, std::move(batch), {}, {}).status());
      batch.clear();
    }
    RETURN_IF_ERROR(world_.records->Count(kName, Is("rank", 0), {}).status());
    return MaintainAll(world_, kName);
  }

  Result<double> Measure(double share, size_t k) {
    const int64_t below =
        std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(records_)));
    const size_t expected = std::min<size_t>(k, static_cast<size_t>(below));
    size_t right = 0;
    for (size_t i = 0; i < kQueries; ++i) {
      RecordSearch search;
      search.vector = clusters_.Make(i, /*mark=*/1);
      search.top_k = k;
      search.filter = Range("rank", std::nullopt, Bound{below, false});
      ASSIGN_OR_RETURN(const std::vector<RecordHit> hits,
                       world_.records->Search(kName, search, {}));
      if (hits.size() != expected) {
        return Violation(std::string(variant_.name) + ": " + std::to_string(below) +
                         " records match and a search for " + std::to_string(k) + " gave " +
                         std::to_string(hits.size()));
      }
      const double last = LikenessOfLast(clusters_, vectors_, *search.vector, expected,
                                         [&](size_t number) { return RankOf(number) < below; });
      for (const RecordHit& hit : hits) {
        const size_t number = std::stoul(hit.record.id);
        if (RankOf(number) >= below) return Violation("a hit does not match the filter");
        right += clusters_.Likeness(*search.vector, vectors_[number]) >= last - kTieMargin;
      }
    }
    return static_cast<double>(right) / static_cast<double>(expected * kQueries);
  }

  const Variant& variant_;
  const uint64_t records_;
  const Clusters clusters_;
  World world_;
  std::vector<Vector> vectors_;
};

}  // namespace

Status RunFilters(const DrillOptions& options) {
  const uint64_t records = options.count != 0 ? options.count : kShort;
  return RunUnits(options, std::size(kVariants), [&](uint64_t unit, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "filters");
    return FilterRun(kVariants[unit], options.seed, records).Run(folder.path(), figures);
  });
}

}  // namespace ragstone::index::reliability

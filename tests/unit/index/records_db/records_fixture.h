#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "index/filter/filter_parser.h"
#include "index/internal/records_db/record_database_impl.h"
#include "index/record_database.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {

inline Filter Parsed(std::string_view text) {
  Result<Filter> filter = ParseFilter(text);
  EXPECT_TRUE(filter.ok()) << filter.status().ToString();
  return filter.ok() ? *filter : Filter();
}

inline DenseVector RandomDense(std::mt19937_64* random, size_t dimensions) {
  std::normal_distribution<float> normal;
  DenseVector vector(dimensions);
  for (float& value : vector) value = normal(*random);
  return vector;
}

inline Record MakeRecord(std::string id, DenseVector vector, Payload payload = {}) {
  Record record;
  record.id = std::move(id);
  record.vectors[""] = std::move(vector);
  record.payload = std::move(payload);
  return record;
}

inline std::vector<std::string> IdsOf(const std::vector<Record>& records) {
  std::vector<std::string> ids;
  for (const Record& record : records) ids.push_back(record.id);
  return ids;
}

inline std::vector<std::string> IdsOf(const std::vector<RecordHit>& hits) {
  std::vector<std::string> ids;
  for (const RecordHit& hit : hits) ids.push_back(hit.record.id);
  return ids;
}

// A database in a folder of its own that can be opened again.
class RecordsFixture : public ::testing::Test {
 protected:
  static constexpr uint32_t kDimensions = 8;

  void SetUp() override { Open(folder_.path()); }

  void Open(const std::filesystem::path& dir) {
    Close();
    DatabaseOptions options;
    options.dir = dir;
    options.memory_bytes = 32ull << 20;
    options.hnsw_vectors_min = seal_rows_;
    options.record_memory_bytes = record_memory_;
    options.on_storage_warning = on_warning_;
    Result<std::unique_ptr<Database>> database = Database::Open(options, &clock_);
    ASSERT_TRUE(database.ok()) << database.status().ToString();
    database_ = std::move(*database);
    Result<std::unique_ptr<RecordDatabase>> records =
        RecordDatabase::Open(database_.get(), &clock_);
    ASSERT_TRUE(records.ok()) << records.status().ToString();
    records_ = std::move(*records);
  }
  void Close() {
    records_.reset();
    database_.reset();
  }
  void Reopen() { Open(folder_.path()); }

  records::RecordDatabaseImpl& impl() {
    return static_cast<records::RecordDatabaseImpl&>(*records_);
  }
  // Does all background work there is, beside the background thread.
  void Maintain(std::string_view collection = "c") {
    const auto found = impl().Find(collection);
    ASSERT_TRUE(found.ok());
    const Result<bool> waits = impl().worker().Maintain(found->get());
    ASSERT_TRUE(waits.ok()) << waits.status().ToString();
  }
  size_t Rows(Family family) { return CountKeys(database_.get(), family); }

  static RecordCollectionSpec Spec(VectorMetric metric = VectorMetric::kCosine) {
    RecordCollectionSpec spec;
    spec.name = "c";
    VectorField field;
    field.dimensions = kDimensions;
    field.metric = metric;
    field.storage =
        metric == VectorMetric::kHamming ? VectorStorage::kBinary : VectorStorage::kFloat32;
    spec.vectors = {field};
    Result<Schema> schema = Schema::Create({{"lang", FieldType::kKeyword},
                                            {"year", FieldType::kInteger},
                                            {"draft", FieldType::kBoolean},
                                            {"note", FieldType::kKeyword, false, false},
                                            {"tags", FieldType::kKeyword, true},
                                            {"body", FieldType::kText}});
    EXPECT_TRUE(schema.ok());
    spec.schema = *schema;
    return spec;
  }
  void Create(const RecordCollectionSpec& spec = Spec()) {
    const auto created = records_->CreateCollection(spec);
    ASSERT_TRUE(created.ok()) << created.status().ToString();
  }

  WriteResult Put(std::vector<Record> records, const WriteOptions& options = {}) {
    const auto result = records_->Upsert("c", std::move(records), options, {});
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : WriteResult();
  }
  WriteResult Delete(std::vector<std::string> ids) {
    const auto result = records_->Delete("c", RecordSelector(std::move(ids)), {}, {});
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : WriteResult();
  }
  std::vector<Record> Get(const std::vector<std::string>& ids, const ReadOptions& options = {}) {
    const auto result = records_->Get("c", ids, options);
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : std::vector<Record>();
  }
  std::vector<Record> Scroll(std::string_view filter = "", std::string_view after = "",
                             size_t limit = 1000, const ReadOptions& options = {}) {
    const auto result = records_->Scroll("c", Parsed(filter), after, limit, options, {});
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : std::vector<Record>();
  }
  uint64_t Count(std::string_view filter = "") {
    const auto result = records_->Count("c", Parsed(filter), {});
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : UINT64_MAX;
  }
  std::vector<RecordHit> Search(const RecordSearch& search) {
    const auto result = records_->Search("c", search, {});
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : std::vector<RecordHit>();
  }
  static RecordSearch Nearest(Vector vector, size_t top_k, std::string_view filter = "") {
    RecordSearch search;
    search.vector = std::move(vector);
    search.top_k = top_k;
    search.filter = Parsed(filter);
    return search;
  }

  TemporaryFolder folder_;
  FakeClock clock_{1'700'000'000'000'000'000};
  uint32_t seal_rows_ = 20'000;
  uint64_t record_memory_ = 0;
  std::function<void(std::string_view)> on_warning_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<RecordDatabase> records_;
};

}  // namespace ragstone::index

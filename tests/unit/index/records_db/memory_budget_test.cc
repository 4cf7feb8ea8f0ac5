// The memory of indexes: loads and writes that do not fit are refused, collections least recently
// used are unloaded, also beside searches and writes. Covers memory_budget.cc.
#include "index/internal/records_db/memory_budget.h"

#include <atomic>
#include <thread>

#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

class MemoryBudgetTest : public RecordsFixture {
 protected:
  static constexpr uint32_t kDims = 128;

  static RecordCollectionSpec SpecOf(const std::string& name) {
    RecordCollectionSpec spec = Spec(VectorMetric::kL2);
    spec.name = name;
    spec.vectors[0].dimensions = kDims;
    return spec;
  }
  static std::vector<Record> Made(int begin, int end) {
    std::vector<Record> records;
    for (int i = begin; i < end; ++i) {
      std::mt19937_64 random(static_cast<uint64_t>(i) + 1);
      records.push_back(
          MakeRecord("r" + std::to_string(i), RandomDense(&random, kDims), {{"year", int64_t{i}}}));
    }
    return records;
  }
  Result<WriteResult> PutInto(const std::string& name, int begin, int end) {
    return records_->Upsert(name, Made(begin, end), {}, {});
  }
  void CreateFilled(const std::string& name, int records) {
    ASSERT_TRUE(records_->CreateCollection(SpecOf(name)).ok());
    const auto result = PutInto(name, 0, records);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
  }
  // The record is its own nearest.
  Result<std::vector<RecordHit>> SearchFor(const std::string& name, int i) {
    std::mt19937_64 random(static_cast<uint64_t>(i) + 1);
    return records_->Search(name, Nearest(RandomDense(&random, kDims), 1), {});
  }
  bool Loaded(const std::string& name) {
    const auto found = impl().Find(name);
    return found.ok() && (*found)->loaded();
  }
  records::StateRef StateOf(const std::string& name) { return (*impl().Find(name))->State(); }
  void Limit(uint64_t bytes) {
    record_memory_ = bytes;
    Reopen();
  }
};

TEST_F(MemoryBudgetTest, ALoadThatDoesNotFitIsRefusedAndReadsByIdAreNot) {
  CreateFilled("c", 2000);
  Limit(256 << 10);
  const auto found = SearchFor("c", 5);
  ASSERT_EQ(found.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(found.status().reason(), Reason::kMemoryLimit);
  for (const char* part : {"\"c\"", "2 MiB", "1 MiB", "record_memory_limit"}) {
    EXPECT_NE(found.status().message().find(part), std::string::npos) << found.status().message();
  }
  EXPECT_EQ(records_->Count("c", Parsed("year < 10"), {}).status().reason(), Reason::kMemoryLimit);
  EXPECT_EQ(Get({"r7"}).size(), 1u);
  EXPECT_EQ(Count(), 2000u);
  EXPECT_EQ(Scroll("", "", 10).size(), 10u);
  EXPECT_EQ(impl().budget().used(), 0u);
}

TEST_F(MemoryBudgetTest, AWriteThatDoesNotFitLeavesNothingBehind) {
  CreateFilled("c", 1000);
  Limit(1 << 20);
  ASSERT_TRUE(SearchFor("c", 5).ok());
  const size_t rows = Rows(Family::kRecord);
  const uint64_t used = impl().budget().used();
  const auto refused = PutInto("c", 1000, 2500);
  ASSERT_EQ(refused.status().reason(), Reason::kMemoryLimit) << refused.status().ToString();
  EXPECT_NE(refused.status().message().find("record_memory_limit"), std::string::npos);
  EXPECT_EQ(Count(), 1000u);
  EXPECT_EQ(Rows(Family::kRecord), rows);
  EXPECT_EQ(impl().budget().used(), used);
  // What makes room is possible, and so is what fits.
  const auto removed = Delete({"r1", "r2"});
  EXPECT_EQ(removed.affected, 2u);
  EXPECT_TRUE(PutInto("c", 1, 3).ok());
  EXPECT_TRUE(SearchFor("c", 1).ok());
}

TEST_F(MemoryBudgetTest, AWriteToWhatCouldNeverBeSearchedIsRefused) {
  CreateFilled("c", 1000);
  Limit(1 << 20);
  ASSERT_FALSE(Loaded("c"));
  EXPECT_TRUE(PutInto("c", 1000, 1100).ok()) << "it takes no memory now";
  const auto refused = PutInto("c", 1100, 3000);
  EXPECT_EQ(refused.status().reason(), Reason::kMemoryLimit) << refused.status().ToString();
  EXPECT_EQ(Count(), 1100u);
  EXPECT_TRUE(SearchFor("c", 1050).ok());
}

TEST_F(MemoryBudgetTest, TheLeastRecentlyUsedCollectionIsUnloaded) {
  for (const char* name : {"a", "b", "c"}) CreateFilled(name, 1000);
  Limit(1500 << 10);  // two of them
  ASSERT_TRUE(SearchFor("a", 1).ok());
  ASSERT_TRUE(SearchFor("b", 1).ok());
  ASSERT_TRUE(SearchFor("a", 2).ok());
  EXPECT_TRUE(Loaded("a") && Loaded("b"));
  ASSERT_TRUE(SearchFor("c", 1).ok());
  EXPECT_TRUE(Loaded("a"));
  EXPECT_FALSE(Loaded("b"));
  const auto again = SearchFor("b", 3);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)[0].record.id, "r3");
  EXPECT_LE(impl().budget().used(), record_memory_);
}

TEST_F(MemoryBudgetTest, MemoryCountsUntilTheLastStateGoes) {
  CreateFilled("a", 1000);
  CreateFilled("b", 1000);
  Limit(1 << 20);  // one of them
  ASSERT_TRUE(SearchFor("a", 1).ok());
  records::StateRef held = StateOf("a");
  ASSERT_NE(held->indexes, nullptr);
  const uint64_t used = impl().budget().used();
  const auto refused = SearchFor("b", 1);
  EXPECT_EQ(refused.status().reason(), Reason::kMemoryLimit) << "somebody still uses a";
  EXPECT_FALSE(Loaded("a"));
  EXPECT_EQ(impl().budget().used(), used);
  EXPECT_TRUE(held->indexes->fields->Contains(1));
  held.reset();
  EXPECT_EQ(impl().budget().used(), 0u);
  EXPECT_TRUE(SearchFor("b", 1).ok());
  EXPECT_TRUE(Loaded("b"));
}

TEST_F(MemoryBudgetTest, DroppedAndAlteredCollectionsGiveTheirMemoryBack) {
  CreateFilled("a", 1000);
  ASSERT_TRUE(SearchFor("a", 1).ok());
  Maintain("a");
  EXPECT_GT(impl().budget().used(), 1000 * kDims * sizeof(float));
  RecordCollectionSpec spec = SpecOf("a");
  spec.vectors[0].storage = VectorStorage::kFloat16;
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  EXPECT_EQ(impl().budget().used(), 0u);
  ASSERT_TRUE(SearchFor("a", 1).ok());
  EXPECT_GT(impl().budget().used(), 0u);
  ASSERT_TRUE(records_->DropCollection("a").ok());
  EXPECT_EQ(impl().budget().used(), 0u);
}

TEST_F(MemoryBudgetTest, SearchesAndWritesGoOnWhileCollectionsComeAndGo) {
  constexpr int kCollections = 4;
  constexpr int kRecords = 500;
  const auto name_of = [](int i) { return "c" + std::to_string(i); };
  for (int i = 0; i < kCollections; ++i) CreateFilled(name_of(i), kRecords);
  Limit(1 << 20);  // two or three of them
  std::atomic<int> wrong{0};
  std::atomic<int> done{0};
  const auto work = [&](int thread) {
    std::mt19937_64 random(static_cast<uint64_t>(thread));
    for (int step = 0; step < 120; ++step) {
      const std::string name = name_of(static_cast<int>(random() % kCollections));
      const int i = static_cast<int>(random() % kRecords);
      if (step % 8 == 7) {
        const auto written = PutInto(name, i, i + 1);
        if (!written.ok() && written.status().reason() != Reason::kMemoryLimit) ++wrong;
        continue;
      }
      const auto found = SearchFor(name, i);
      if (found.ok() && (*found)[0].record.id != "r" + std::to_string(i)) ++wrong;
      // With all of it in use at once a search may be told so, and nothing else.
      if (!found.ok() && found.status().reason() != Reason::kMemoryLimit) ++wrong;
      done += found.ok() ? 1 : 0;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(done, 200);
  EXPECT_GT(impl().loads().from_rows, 2u * kCollections) << "they had to share";
  for (int i = 0; i < kCollections; ++i) {
    const auto found = SearchFor(name_of(i), 77);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_EQ((*found)[0].record.id, "r77");
  }
  for (int i = 0; i < kCollections; ++i) Maintain(name_of(i));
  EXPECT_LE(impl().budget().used(), record_memory_);
}

// What is counted while indexes are read, at the limit and by several threads, exceeds it by no
// more than the last pieces of what grows, which are made whole; and that only until others are
// unloaded.
TEST_F(MemoryBudgetTest, LoadingAtTheLimitCountsHardlyMoreThanThereIs) {
  constexpr int kCollections = 5;
  for (int i = 0; i < kCollections; ++i) {
    const std::string name = "c" + std::to_string(i);
    RecordCollectionSpec spec = SpecOf(name);
    // Of different kinds and sizes.
    if (i % 2 == 1) spec.vectors[0].storage = VectorStorage::kFloat16;
    ASSERT_TRUE(records_->CreateCollection(spec).ok());
    std::vector<Record> records = Made(0, 400 + 150 * i);
    ASSERT_TRUE(records_->Upsert(name, std::move(records), {}, {}).ok());
  }
  Limit(1700 << 10);  // about two of them
  std::atomic<bool> done{false};
  std::atomic<uint64_t> most{0};
  std::atomic<uint64_t> looks{0};
  std::thread watcher([&] {
    while (!done) {
      const uint64_t used = impl().budget().used();
      most = std::max(most.load(), used);
      ++looks;
    }
  });
  std::atomic<int> found{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(static_cast<uint64_t>(i));
      for (int step = 0; step < 60; ++step) {
        found += SearchFor("c" + std::to_string(random() % kCollections), step).ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  watcher.join();
  EXPECT_GT(found, 60);
  EXPECT_GT(looks, 100u);
  EXPECT_GT(impl().loads().from_rows, 2u * kCollections) << "they had to share";
  constexpr uint64_t kLastPiece = 512 * kDims * sizeof(float);  // of 400 to 1000 vectors
  EXPECT_LE(most, record_memory_ + threads.size() * kLastPiece);
  EXPECT_TRUE(SearchFor("c0", 1).ok() && SearchFor("c1", 1).ok());
  EXPECT_LE(impl().budget().used(), record_memory_);
}

TEST_F(MemoryBudgetTest, ManySmallCollectionsCostLittleEach) {
  constexpr int kCollections = 200;
  for (int i = 0; i < kCollections; ++i) CreateFilled("c" + std::to_string(i), 5);
  Reopen();
  EXPECT_EQ(impl().budget().used(), 0u) << "nothing is loaded before it is used";
  for (int i = 0; i < kCollections; ++i) {
    ASSERT_TRUE(SearchFor("c" + std::to_string(i), 3).ok());
  }
  EXPECT_LT(impl().budget().used() / kCollections, 64u << 10);
  Close();
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "indexes"));
}

}  // namespace
}  // namespace ragstone::index

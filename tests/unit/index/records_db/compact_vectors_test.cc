// Collections that do not fit memory with graphs: IVF-PQ is chosen by itself, kept over restarts,
// and made again if its files are damaged. Covers memory_share.cc.
#include <gtest/gtest.h>

#include "index/internal/records_db/memory_share.h"
#include "tests/unit/index/records_db/restart_fixture.h"

namespace ragstone::index {
namespace {

using records::FairShare;

TEST(FairShareTest, WhatEverybodyNeedsIsLeftToEverybody) {
  EXPECT_EQ(FairShare(100, 30, {}), 100u);
  EXPECT_EQ(FairShare(100, 30, {20, 50}), 30u);
  EXPECT_EQ(FairShare(100, 10, {20, 50}), 30u) << "there is room to grow";
}

TEST(FairShareTest, LargeNeedsAreCutToOneLevelThatSmallOnesDoNotLower) {
  EXPECT_EQ(FairShare(100, 200, {}), 100u) << "more than the limit nobody can have";
  EXPECT_EQ(FairShare(100, 200, {300}), 50u);
  EXPECT_EQ(FairShare(100, 300, {200}), 50u) << "whoever needs more gets as much";
  EXPECT_EQ(FairShare(100, 80, {10, 10}), 80u);
  EXPECT_EQ(FairShare(100, 90, {10, 10}), 80u);
  EXPECT_EQ(FairShare(100, 90, {10, 10, 90}), 40u);
  EXPECT_GE(FairShare(100, 10, {10, 90, 90}), 10u);
  EXPECT_EQ(FairShare(100, 50, std::vector<uint64_t>(99, 50)), 1u);
}

// The needs of all, cut to what falls to each, fill the limit and no more.
TEST(FairShareTest, SharesNeverAddUpToMoreThanTheLimit) {
  std::mt19937_64 random(20261123);
  for (int round = 0; round < 200; ++round) {
    std::vector<uint64_t> needs(1 + random() % 12);
    for (uint64_t& need : needs) need = random() % 1000;
    const uint64_t limit = 1 + random() % 4000;
    uint64_t all = 0, taken = 0;
    for (size_t i = 0; i < needs.size(); ++i) {
      std::vector<uint64_t> others = needs;
      others.erase(others.begin() + static_cast<ptrdiff_t>(i));
      all += needs[i];
      taken += std::min(needs[i], FairShare(limit, needs[i], others));
    }
    EXPECT_LE(taken, limit);
    EXPECT_GE(taken + needs.size(), std::min(all, limit)) << "what is left over is lost to nobody";
  }
}

class CompactVectorsTest : public RestartFixture {
 protected:
  static constexpr uint32_t kDims = 64;
  static constexpr int kCount = 42'000;
  // Less than graphs over kCount vectors and the rest take.
  static constexpr uint64_t kTight = 11 << 20;

  void SetUp() override {
    record_memory_ = kTight;
    RestartFixture::SetUp();
    seal_rows_ = 10'001;
    Reopen();
  }
  static RecordCollectionSpec TightSpec() {
    RecordCollectionSpec spec;
    spec.name = "c";
    VectorField field;
    field.dimensions = kDims;
    field.metric = VectorMetric::kL2;
    field.storage = VectorStorage::kInt8;
    field.target_recall = 0.9f;
    spec.vectors = {field};
    spec.schema = *Schema::Create({{"year", FieldType::kInteger}});
    return spec;
  }
  // In few latent dimensions, as embeddings are.
  static DenseVector Latent(int i) {
    std::mt19937_64 random(static_cast<uint64_t>(i) + 1);
    std::normal_distribution<float> normal;
    float latent[6];
    for (float& value : latent) value = normal(random);
    std::mt19937_64 map(7);
    DenseVector vector(kDims);
    for (float& value : vector) {
      for (const float part : latent) value += part * normal(map);
      value += 0.1f * normal(random);
    }
    return vector;
  }
  void PutLatent(int begin, int end) {
    for (int at = begin; at < end; at += 2000) {
      std::vector<Record> records;
      for (int i = at; i < std::min(end, at + 2000); ++i) {
        records.push_back(MakeRecord(IdOf(i), Latent(i), {{"year", int64_t{i % 50}}}));
      }
      // What comes faster than it is compressed is refused until it is.
      for (int tries = 0;; ++tries) {
        const auto result = records_->Upsert("c", records, {}, {});
        if (result.ok()) break;
        ASSERT_EQ(result.status().reason(), Reason::kMemoryLimit) << result.status().ToString();
        ASSERT_LT(tries, 10) << result.status().ToString();
        Maintain();
      }
    }
  }
  std::string Described() {
    const auto info = records_->GetCollection("c");
    EXPECT_TRUE(info.ok());
    return info.ok() ? info->index[0] : "";
  }
  RecordSearch Query(int seed, std::string_view filter, bool exact) {
    RecordSearch search = Nearest(Latent(1'000'000 + seed), 10, filter);
    search.exact = exact;
    return search;
  }
  double Recall(std::string_view filter) {
    size_t found = 0, wanted = 0;
    for (int seed = 0; seed < 8; ++seed) {
      const std::vector<std::string> truth = IdsOf(Search(Query(seed, filter, true)));
      const std::vector<std::string> ids = IdsOf(Search(Query(seed, filter, false)));
      EXPECT_EQ(ids.size(), truth.size());
      wanted += truth.size();
      for (const std::string& id : truth) {
        found += static_cast<size_t>(std::count(ids.begin(), ids.end(), id));
      }
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
  }
  void FillTight() {
    Create(TightSpec());
    ASSERT_EQ(Count("year = 1"), 0u);  // loads it
    for (int at = 0; at < kCount; at += 10'000) {
      PutLatent(at, std::min(kCount, at + 10'000));
      Maintain();
    }
  }
  std::vector<std::string> Exact() { return IdsOf(Search(Query(5, "", true))); }
};

TEST_F(CompactVectorsTest, WhatDoesNotFitAsGraphsIsCompressedAndStaysSoOverRestarts) {
  FillTight();
  const std::string described = Described();
  EXPECT_NE(described.find("IVF-PQ of "), std::string::npos) << described;
  EXPECT_NE(described.find("more than the "), std::string::npos) << described;
  EXPECT_NE(described.find("recall@10 "), std::string::npos) << described;
  EXPECT_EQ(described.find("HNSW"), std::string::npos) << described;
  EXPECT_GE(Recall(""), 0.85);
  EXPECT_GE(Recall("year < 5"), 0.85);
  EXPECT_LE(impl().budget().used(), kTight);
  DeleteRange(0, 500);
  const std::vector<std::string> before = Exact();
  Close();
  Restart();
  EXPECT_EQ(Exact(), before);
  EXPECT_EQ(impl().loads().from_files, 1u);
  EXPECT_EQ(impl().loads().from_rows, 0u);
  EXPECT_EQ(impl().loads().damaged, 0u);
  EXPECT_GE(impl().loads().parts, 1u);
  EXPECT_LT(impl().loads().rows_read, 12'000u) << "only what was not sealed";
  EXPECT_EQ(Described(), described);
  EXPECT_GE(Recall(""), 0.85);
  // A restart with all the memory one wants does not build anything; the next merge may.
  record_memory_ = 0;
  Restart();
  EXPECT_EQ(Exact(), before);
  Maintain();
  EXPECT_EQ(Described(), described);
}

TEST_F(CompactVectorsTest, DamagedFilesAreMadeAgainWithinTheMemoryThereIs) {
  FillTight();
  const std::vector<std::string> before = Exact();
  Close();
  const std::vector<std::filesystem::path> files = IndexFiles();
  ASSERT_GE(files.size(), 2u);
  bool missing = false;
  for (const std::filesystem::path& name : files) {
    TemporaryFolder copy;
    CopyAsAfterACrash(Dir(), copy.path());
    const std::filesystem::path path = copy.path() / std::filesystem::relative(name, Dir());
    std::string bytes = Contents(path);
    bytes[bytes.size() / 2] ^= 4;
    Replace(path, bytes);
    if (missing) std::filesystem::remove(path);
    Open(copy.path());
    EXPECT_EQ(Exact(), before) << name;
    EXPECT_EQ(impl().loads().damaged, 1u) << name;
    EXPECT_EQ(impl().loads().from_rows, 1u) << name;
    EXPECT_LE(impl().budget().used(), kTight);
    EXPECT_NE(Described().find("IVF-PQ of "), std::string::npos) << Described();
    Close();
    missing = !missing;
  }
}

TEST_F(CompactVectorsTest, GraphsBecomeCompressedOnceTheyDoNotFitAndReturnOnlyWithRoomToSpare) {
  record_memory_ = 0;
  Reopen();
  FillTight();
  EXPECT_NE(Described().find("HNSW graph of "), std::string::npos) << Described();
  const std::vector<std::string> before = Exact();
  Close();
  // The files of the graphs are larger than all there may be.
  record_memory_ = kTight;
  Restart();
  EXPECT_EQ(Exact(), before);
  Maintain();
  EXPECT_NE(Described().find("IVF-PQ of "), std::string::npos) << Described();
  EXPECT_EQ(Described().find("HNSW"), std::string::npos) << Described();
  EXPECT_LE(impl().budget().used(), kTight);
  Close();
  // Just enough for graphs is not enough to change again.
  record_memory_ = 25 << 20;
  Restart();
  EXPECT_EQ(Exact(), before);
  PutLatent(kCount, kCount + 21'000);
  Maintain();
  EXPECT_NE(Described().find("IVF-PQ of "), std::string::npos) << Described();
  EXPECT_NE(Described().find("three quarters of the "), std::string::npos) << Described();
  Close();
  record_memory_ = 64 << 20;
  Restart();
  EXPECT_EQ(Exact().size(), 10u);
  PutLatent(0, 21'000);
  Maintain();
  EXPECT_NE(Described().find("HNSW graph of "), std::string::npos) << Described();
  EXPECT_EQ(Exact().size(), 10u);
}

// LSH and IVF-PQ that were asked for.
TEST_F(CompactVectorsTest, IndexesThatWereAskedForAreKeptOverARestart) {
  record_memory_ = 0;
  Reopen();
  RecordCollectionSpec spec = TightSpec();
  spec.vectors[0].method = VectorMethod::kLsh;
  spec.vectors[0].name = "first";
  VectorField second = spec.vectors[0];
  second.name = "second";
  second.method = VectorMethod::kIvfPq;
  spec.vectors.push_back(second);
  Create(spec);
  ASSERT_EQ(Count("year = 1"), 0u);
  for (int at = 0; at < 12'000; at += 2000) {
    std::vector<Record> records;
    for (int i = at; i < at + 2000; ++i) {
      Record record;
      record.id = IdOf(i);
      record.vectors["first"] = Latent(i);
      record.vectors["second"] = Latent(i + 50'000);
      records.push_back(std::move(record));
    }
    Put(std::move(records));
  }
  Maintain();
  const auto described = [&] {
    const auto info = records_->GetCollection("c");
    EXPECT_TRUE(info.ok());
    return info.ok() ? info->index : std::vector<std::string>();
  };
  const std::vector<std::string> index = described();
  ASSERT_EQ(index.size(), 2u);
  EXPECT_NE(index[0].find("LSH of 10001 vectors: asked for"), std::string::npos) << index[0];
  EXPECT_NE(index[1].find("IVF-PQ of 10001 vectors: asked for"), std::string::npos) << index[1];
  RecordSearch both[2] = {Query(1, "", false), Query(1, "", false)};
  both[0].vector_name = "first";
  both[1].vector_name = "second";
  const auto answers = [&] { return std::pair(IdsOf(Search(both[0])), IdsOf(Search(both[1]))); };
  const auto before = answers();
  Crash();
  EXPECT_EQ(answers(), before);
  EXPECT_EQ(described(), index);
  EXPECT_GE(impl().loads().parts, 2u);
  EXPECT_EQ(impl().loads().damaged, 0u);
}

}  // namespace
}  // namespace ragstone::index

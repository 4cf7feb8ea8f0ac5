// Covers vector_index.cc and hnsw_graph.cc.
#include "index/internal/vector_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

constexpr uint32_t kGraphRows = 300;

class VectorIndexTest : public testing::Test {
 protected:
  std::shared_ptr<VersionState> Add(DocumentId document, size_t count) {
    auto state = std::make_shared<VersionState>(document, document, 1);
    for (size_t i = 0; i < count; ++i) {
      const ChunkId chunk = next_++;
      index_.Append(chunk, UnitVector(chunk).data(), state);
    }
    index_.PublishRows();
    index_.SealIfDue(1);
    return state;
  }
  // Runs until there is nothing left to do.
  void Maintain(SequenceNumber oldest) {
    for (;;) {
      const Result<bool> more = index_.Maintain(oldest, stop_);
      ASSERT_TRUE(more.ok()) << more.status().ToString();
      if (!*more) return;
    }
  }
  std::vector<ScoredChunk> Search(uint64_t seed, size_t limit, SequenceNumber sequence) {
    TopChunks top(limit);
    EXPECT_TRUE(index_.Search(UnitVector(seed).data(), sequence, CallContext(), &top, limit).ok());
    return top.TakeSorted();
  }
  // Of `queries` random queries: the share of the true nearest ten that the search returns.
  double Recall(size_t queries) {
    size_t found = 0;
    std::vector<DocumentId> all;
    for (DocumentId id = 1; id < 100; ++id) all.push_back(id);
    for (size_t q = 0; q < queries; ++q) {
      const std::vector<float> query = UnitVector(1'000'000 + q);
      TopChunks exact(10);
      EXPECT_TRUE(index_.Scan(query.data(), 1, all, CallContext(), &exact).ok());
      std::set<ChunkId> truth;
      for (const ScoredChunk& chunk : exact.TakeSorted()) truth.insert(chunk.chunk);
      for (const ScoredChunk& chunk : Search(1'000'000 + q, 10, 1))
        found += truth.count(chunk.chunk);
    }
    return static_cast<double>(found) / static_cast<double>(10 * queries);
  }

  VectorIndex index_{kTestDimensions, kGraphRows, 0};
  std::atomic<bool> stop_{false};
  ChunkId next_ = 1;
};

TEST_F(VectorIndexTest, SmallIndexIsScannedExactly) {
  Add(1, 50);
  Maintain(1);
  EXPECT_EQ(Search(17, 3, 1)[0].chunk, 17u);
  EXPECT_NE(index_.Describe().find("exact scan: 50 vectors, fewer than the 300"),
            std::string::npos);
}

TEST_F(VectorIndexTest, LargeSegmentGetsAGraphThatFindsEveryRowByItself) {
  Add(1, 700);
  EXPECT_NE(index_.Describe().find("wait for their graph"), std::string::npos) << index_.Describe();
  Maintain(1);
  EXPECT_NE(index_.Describe().find("HNSW graphs: 2 over"), std::string::npos) << index_.Describe();
  for (ChunkId chunk = 1; chunk <= 700; ++chunk) {
    const std::vector<ScoredChunk> found = Search(chunk, 1, 1);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].chunk, chunk);
    EXPECT_NEAR(found[0].score, 1.0, 1e-5);
  }
  EXPECT_GE(Recall(50), 0.95);
}

TEST_F(VectorIndexTest, FourSegmentsAreJoined) {
  for (DocumentId document = 1; document <= 4; ++document) Add(document, kGraphRows);
  Maintain(1);
  EXPECT_NE(index_.Describe().find("HNSW graphs: 1 over 1200"), std::string::npos)
      << index_.Describe();
  EXPECT_GE(Recall(30), 0.95);
}

TEST_F(VectorIndexTest, RetiredRowsAreNeverReturnedAndThenDropped) {
  const auto gone = Add(1, 280);
  Add(2, 200);
  Maintain(1);
  gone->valid_to = 5;
  for (ChunkId chunk = 1; chunk <= 280; ++chunk) {
    for (const ScoredChunk& found : Search(chunk, 10, 5)) EXPECT_EQ(found.document, 2u);
  }
  EXPECT_EQ(Search(3, 10, 4)[0].chunk, 3u) << "an older reader still sees it";
  EXPECT_EQ(index_.rows(), 480u);
  Maintain(4);
  EXPECT_EQ(index_.rows(), 480u) << "a reader at 4 may still need the rows";
  Maintain(5);
  EXPECT_EQ(index_.rows(), 200u);
  EXPECT_EQ(Search(290, 1, 5)[0].chunk, 290u);
}

TEST_F(VectorIndexTest, EnoughHitsComeBackThoughMostOfAGraphIsRetired) {
  const auto gone = Add(1, 290);
  Add(2, 30);
  index_.SealIfDue(1);
  Maintain(1);
  gone->valid_to = 5;
  EXPECT_EQ(Search(3, 20, 5).size(), 20u);
}

TEST_F(VectorIndexTest, StoppedBuildLeavesTheSegmentScanned) {
  Add(1, kGraphRows);
  stop_ = true;
  const Result<bool> more = index_.Maintain(1, stop_);
  ASSERT_TRUE(more.ok());
  EXPECT_FALSE(*more);
  EXPECT_EQ(Search(9, 1, 1)[0].chunk, 9u);
}

TEST_F(VectorIndexTest, MostlyDeadGrowingSegmentIsSealedAndShrinks) {
  VectorIndex index(kTestDimensions, 20'000, 0);
  auto gone = std::make_shared<VersionState>(1, 1, 1);
  for (ChunkId chunk = 1; chunk <= 600; ++chunk)
    index.Append(chunk, UnitVector(chunk).data(), gone);
  index.PublishRows();
  gone->valid_to = 3;
  index.SealIfDue(3);
  ASSERT_TRUE(index.Maintain(3, stop_).ok());
  EXPECT_EQ(index.rows(), 0u);
}

}  // namespace
}  // namespace ragstone::index

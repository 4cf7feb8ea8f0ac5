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
    const std::vector<float> vector = UnitVector(seed);
    const VectorQuery query{vector.data(), sequence, limit, nullptr};
    EXPECT_TRUE(index_.Search(query, CallContext(), &top).ok());
    return top.TakeSorted();
  }
  // Of `queries` random queries: the share of the true nearest ten that the search returns.
  double Recall(size_t queries) {
    size_t found = 0;
    const ChunkSet all({{1, next_}});  // few chunks that are named are compared one by one
    for (size_t q = 0; q < queries; ++q) {
      const std::vector<float> query = UnitVector(1'000'000 + q);
      TopChunks exact(10);
      EXPECT_TRUE(index_.Search({query.data(), 1, 10, &all}, CallContext(), &exact).ok());
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

TEST_F(VectorIndexTest, DescriptionHasTheMeasuredRecall) {
  Add(1, 500);
  Maintain(1);
  EXPECT_NE(index_.Describe().find("recall@100"), std::string::npos) << index_.Describe();
  EXPECT_NE(index_.Describe().find("measured on 100 queries"), std::string::npos)
      << index_.Describe();
}

// Of 24,000 rows in graphs: sets of many rows, which are walked, and of few, which are scanned.
TEST_F(VectorIndexTest, RestrictedSearchReturnsTheLimitOrAllMatches) {
  constexpr size_t kRows = 24'000;
  VectorIndex index(kTestDimensions, 20'000, kRows);
  const auto state = std::make_shared<VersionState>(1, 1, 1);
  for (ChunkId chunk = 1; chunk <= kRows; ++chunk) {
    index.Append(chunk, UnitVector(chunk).data(), state);
  }
  index.PublishRows();
  index.SealIfDue(1);
  ASSERT_TRUE(index.Maintain(1, stop_).ok());
  ASSERT_NE(index.Describe().find("HNSW graphs: 1"), std::string::npos) << index.Describe();
  for (const ChunkId step : {2u, 50u, 4000u}) {
    std::vector<keywords::RowRange> ranges;
    for (ChunkId chunk = 7; chunk <= kRows; chunk += step) ranges.push_back({chunk, 1});
    const ChunkSet allowed(std::move(ranges));
    size_t found = 0;
    size_t wanted = 0;
    for (uint64_t seed = 1'000'000; seed < 1'000'020; ++seed) {
      const std::vector<float> query = UnitVector(seed);
      std::vector<ScoredChunk> truth;
      for (const keywords::RowRange& range : allowed.ranges()) {
        const std::vector<float> row = UnitVector(range.first);
        truth.push_back({range.first, 1, BestDot()(query.data(), row.data(), row.size())});
      }
      std::sort(truth.begin(), truth.end(), Better);
      truth.resize(std::min<size_t>(10, truth.size()));
      TopChunks top(10);
      ASSERT_TRUE(index.Search({query.data(), 1, 10, &allowed}, CallContext(), &top).ok());
      const std::vector<ScoredChunk> hits = top.TakeSorted();
      EXPECT_EQ(hits.size(), truth.size()) << "one in " << step;
      for (const ScoredChunk& hit : hits) {
        EXPECT_TRUE(allowed.Contains(hit.chunk));
        found += hit.score >= truth.back().score;
      }
      wanted += truth.size();
    }
    EXPECT_GE(static_cast<double>(found), 0.95 * static_cast<double>(wanted)) << "one in " << step;
  }
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

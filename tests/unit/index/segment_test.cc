// Covers segment.cc, dot.cc and stable_array.h.
#include "index/internal/segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

TEST(DotTest, EveryTierOfThisCpuAgreesWithDoubles) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (const size_t size : {1u, 3u, 8u, 15u, 16u, 17u, 31u, 33u, 63u, 64u, 65u, 384u, 1000u}) {
    // Begins off any alignment.
    std::vector<float> a(size + 1);
    std::vector<float> b(size + 1);
    for (float& value : a) value = normal(random);
    for (float& value : b) value = normal(random);
    double exact = 0;
    double magnitude = 0;
    for (size_t i = 1; i <= size; ++i) {
      exact += static_cast<double>(a[i]) * b[i];
      magnitude += std::abs(static_cast<double>(a[i]) * b[i]);
    }
    for (const DotTier& tier : DotTiers()) {
      EXPECT_NEAR(tier.function(a.data() + 1, b.data() + 1, size), exact, 1e-6 * magnitude + 1e-7)
          << tier.name << " " << size;
    }
  }
  EXPECT_EQ(DotTiers().back().name, "portable");
  EXPECT_EQ(BestDot(), DotTiers().front().function);
}

TEST(StableArrayTest, RowsDoNotMove) {
  StableArray<int> array(1000, 3);
  const int* first = array.Reserve(0);
  for (size_t row = 0; row < 1000; ++row) array.Reserve(row)[2] = static_cast<int>(row);
  EXPECT_EQ(array.Row(0), first);
  EXPECT_EQ(array.Row(777)[2], 777);
}

TEST(TopChunksTest, KeepsTheBestAndBreaksTiesById) {
  TopChunks top(3);
  for (const ChunkId id : {9u, 4u, 7u, 1u, 3u}) top.Offer({id, 0, id == 9 ? 2.0 : 1.0});
  const std::vector<ScoredChunk> best = top.TakeSorted();
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].chunk, 9u);
  EXPECT_EQ(best[1].chunk, 1u);
  EXPECT_EQ(best[2].chunk, 3u);
  TopChunks none(0);
  none.Offer({1, 1, 1});
  EXPECT_TRUE(none.TakeSorted().empty());
}

class SegmentTest : public testing::Test {
 protected:
  std::shared_ptr<VersionState> Add(DocumentId document, ChunkId first, size_t count,
                                    SequenceNumber from) {
    auto state = std::make_shared<VersionState>(document, document * 10, from);
    for (size_t i = 0; i < count; ++i) {
      segment_.Append(first + i, UnitVector(first + i).data(), state);
    }
    return state;
  }
  std::vector<ScoredChunk> Scan(SequenceNumber sequence, const ChunkSet* allowed = nullptr) {
    TopChunks top(100);
    const std::vector<float> vector = UnitVector(1);
    const VectorQuery query{vector.data(), sequence, 100, allowed};
    EXPECT_TRUE(segment_.Scan(query, CallContext(), &top).ok());
    return top.TakeSorted();
  }
  Segment segment_{kTestDimensions, 500};
};

TEST_F(SegmentTest, ScanSeesWhatIsVisibleAtItsSequence) {
  const auto a = Add(1, 1, 3, 10);
  const auto b = Add(2, 4, 2, kNever);
  EXPECT_TRUE(Scan(20).empty()) << "rows are read only after Publish";
  segment_.Publish();
  EXPECT_TRUE(Scan(9).empty());
  ASSERT_EQ(Scan(10).size(), 3u);
  EXPECT_EQ(Scan(10)[0].chunk, 1u);
  EXPECT_NEAR(Scan(10)[0].score, 1.0, 1e-5);
  b->valid_from = 12;
  EXPECT_EQ(Scan(12).size(), 5u);
  a->valid_to = 12;
  EXPECT_EQ(Scan(11).size(), 3u);
  EXPECT_EQ(Scan(12).size(), 2u);
  EXPECT_EQ(segment_.DeadRows(11), 0u);
  EXPECT_EQ(segment_.DeadRows(12), 3u);
}

TEST_F(SegmentTest, RestrictedScanSeesExactlyTheChunksThatAreAllowed) {
  Add(1, 20, 3, 10);  // segments need not be in the order of chunks
  Add(2, 4, 2, 10);
  Add(3, 6, 4, kNever);
  Add(4, 30, 50, 10);
  segment_.Publish();
  const ChunkSet allowed({{1, 4}, {5, 3}, {22, 1}, {33, 2}, {40, 1}, {79, 9}, {400, 7}});
  EXPECT_EQ(allowed.count(), 27u);
  std::vector<ChunkId> chunks;
  for (const ScoredChunk& chunk : Scan(10, &allowed)) chunks.push_back(chunk.chunk);
  std::sort(chunks.begin(), chunks.end());
  EXPECT_EQ(chunks, (std::vector<ChunkId>{4, 5, 22, 33, 34, 40, 79}));
  for (ChunkId chunk = 0; chunk < 500; ++chunk) {
    const bool listed = std::any_of(
        allowed.ranges().begin(), allowed.ranges().end(), [&](const keywords::RowRange& range) {
          return range.first <= chunk && chunk < range.first + range.count;
        });
    EXPECT_EQ(allowed.Contains(chunk), listed) << chunk;
  }
  const ChunkSet none({});
  EXPECT_TRUE(Scan(10, &none).empty());
}

TEST_F(SegmentTest, RunsGrowOnlyUntilTheyArePublished) {
  const auto state = Add(1, 1, 3, 10);
  segment_.Publish();
  segment_.Append(4, UnitVector(4).data(), state);
  EXPECT_EQ(segment_.run_count(), 1u);
  segment_.Publish();
  EXPECT_EQ(segment_.run_count(), 2u);
  EXPECT_EQ(segment_.run(0).end, 3u);
  EXPECT_EQ(Scan(10).size(), 4u);
}

TEST_F(SegmentTest, CancelledScanStops) {
  Add(1, 1, 3, 10);
  segment_.Publish();
  auto flag = std::make_shared<CancelFlag>();
  flag->Cancel();
  TopChunks top(10);
  const std::vector<float> vector = UnitVector(1);
  EXPECT_EQ(segment_
                .Scan({vector.data(), 10, 10, nullptr},
                      CallContext(CallContext::TimePoint::max(), flag), &top)
                .code(),
            StatusCode::kCancelled);
}

}  // namespace
}  // namespace ragstone::index

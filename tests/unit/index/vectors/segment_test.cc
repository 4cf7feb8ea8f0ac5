// Covers index/internal/vectors/segment.cc, segment_search.cc, graph.cc, graph_builder.cc and
// walk.cc.
#include "index/internal/vectors/segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "index/internal/vectors/kernel_tiers.h"
#include "tests/unit/index/vectors/map_reader.h"

namespace ragstone::index::vectors {
namespace {

constexpr size_t kRows = 12'000;

std::unique_ptr<Segment> Built(const RandomRows& rows, const SealOptions& options = {}) {
  Result<std::unique_ptr<Segment>> built = Segment::Build(rows.spec(), rows, options);
  EXPECT_TRUE(built.ok()) << built.status().ToString();
  return built.ok() ? std::move(*built) : nullptr;
}

struct Case {
  const char* name;
  VectorSpec spec;
  bool reader;
  double recall;
};

class SegmentTest : public testing::TestWithParam<Case> {};

TEST_P(SegmentTest, TheGraphFindsTheNearestRows) {
  RandomRows rows(GetParam().spec, kRows, 11);
  SealOptions seal;
  seal.graph.threads = 2;
  const std::unique_ptr<Segment> segment = Built(rows, seal);
  ASSERT_TRUE(segment->has_graph());
  ASSERT_TRUE(segment->graph().Check().ok());
  const MapReader reader(rows);
  SearchOptions options;
  options.ef = 128;
  if (GetParam().reader) options.reader = &reader;
  double recall = 0;
  constexpr int kQueries = 40;
  for (int i = 0; i < kQueries; ++i) {
    const std::vector<uint8_t> query = rows.Query();
    std::vector<Hit> hits;
    ASSERT_TRUE(segment->Search(query.data(), options, nullptr, &hits).ok());
    ASSERT_EQ(hits.size(), 10u);
    EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end(), Nearer));
    for (const Hit& hit : hits) EXPECT_EQ(segment->row_id(hit.slot), hit.row);
    if (GetParam().spec.metric == Metric::kHamming) {
      // Many rows are equally far, so it is distances that are compared.
      const std::vector<RowId> truth = Truth(rows, query.data(), 10);
      double worst = 0;
      for (size_t row = 0; row < kRows; ++row) {
        if (rows.id(row) == truth.back()) worst = rows.Distance(query.data(), row);
      }
      size_t near = 0;
      for (const Hit& hit : hits) near += hit.distance <= worst;
      recall += static_cast<double>(near) / 10;
    } else {
      recall += Share(Truth(rows, query.data(), 10), hits);
    }
  }
  EXPECT_GE(recall / kQueries, GetParam().recall);
}

INSTANTIATE_TEST_SUITE_P(
    All, SegmentTest,
    testing::Values(
        Case{"CosineFloat32", {96, Metric::kCosine, Storage::kFloat32}, false, 0.95},
        Case{"CosineFloat16", {100, Metric::kCosine, Storage::kFloat16}, false, 0.95},
        Case{"CosineInt8", {96, Metric::kCosine, Storage::kInt8}, false, 0.85},
        Case{"CosineInt8Rescored", {96, Metric::kCosine, Storage::kInt8}, true, 0.95},
        Case{"L2Float32", {96, Metric::kL2, Storage::kFloat32}, false, 0.95},
        Case{"L2OfThreeDimensions", {3, Metric::kL2, Storage::kFloat32}, false, 0.95},
        Case{"L2Int8Rescored", {65, Metric::kL2, Storage::kInt8}, true, 0.95},
        Case{"InnerProductFloat32", {96, Metric::kInnerProduct, Storage::kFloat32}, false, 0.9},
        Case{"CosineBinaryRescored", {384, Metric::kCosine, Storage::kBinary}, true, 0.8},
        Case{"Hamming", {257, Metric::kHamming, Storage::kBinary}, false, 0.95}),
    [](const auto& tested) { return tested.param.name; });

// One graph for the tests below, which only read it.
class SharedGraph : public testing::Test {
 protected:
  static constexpr size_t kMany = 40'000;
  static void SetUpTestSuite() {
    rows_ = new RandomRows({96, Metric::kCosine, Storage::kFloat32}, kMany, 3);
    SealOptions seal;
    seal.graph.threads = 2;
    segment_ = Built(*rows_, seal).release();
  }
  static void TearDownTestSuite() {
    delete segment_;
    delete rows_;
  }
  static RandomRows* rows_;
  static Segment* segment_;
};
RandomRows* SharedGraph::rows_ = nullptr;
Segment* SharedGraph::segment_ = nullptr;

// At all selectivities, with and without the list of rows: min(k, matches) hits that pass, and
// nearly the best.
TEST_F(SharedGraph, FilteredSearchIsCompleteAtEverySelectivity) {
  for (const size_t one_in : {2, 4, 10, 100, 1000, 10'000, 1'000'000}) {
    const auto passes = [&](RowId row, Slot) {
      return row * 2654435761u % 4294967296u / 64 % one_in == 0;
    };
    const auto passes_row = [&](RowId row) { return passes(row, 0); };
    std::vector<RowId> matching;
    for (size_t i = 0; i < kMany; ++i) {
      if (passes_row(rows_->id(i))) matching.push_back(rows_->id(i));
    }
    std::sort(matching.begin(), matching.end());
    for (const bool with_rows : {false, true}) {
      double recall = 0;
      constexpr int kQueries = 20;
      for (int i = 0; i < kQueries; ++i) {
        const std::vector<uint8_t> query = rows_->Query();
        Restriction restriction = {RowPredicate(passes), matching.size(), {}};
        if (with_rows) restriction.rows = matching;
        std::vector<Hit> hits;
        SearchOptions options;
        // With the list also as if there were more matches than are scanned.
        if (with_rows) options.scan_matches_max = 300;
        ASSERT_TRUE(segment_->Search(query.data(), options, &restriction, &hits).ok());
        EXPECT_EQ(hits.size(), std::min<size_t>(10, matching.size())) << one_in;
        for (const Hit& hit : hits) EXPECT_TRUE(passes_row(hit.row));
        recall += Share(Truth(*rows_, query.data(), 10, passes_row), hits);
      }
      EXPECT_GE(recall / kQueries, 0.95) << "1 in " << one_in;
    }
  }
}

// What passes lies far from the query, so that a walk towards the query meets none of it.
TEST_F(SharedGraph, MatchesFarFromTheQueryAreFound) {
  const std::vector<uint8_t> query = rows_->Query();
  std::vector<std::pair<double, RowId>> all;
  for (size_t i = 0; i < kMany; ++i)
    all.push_back({rows_->Distance(query.data(), i), rows_->id(i)});
  std::sort(all.begin(), all.end());
  for (const size_t matches : {size_t{5}, size_t{500}, size_t{12'000}}) {
    std::set<RowId> far;
    for (size_t i = kMany - matches; i < kMany; ++i) far.insert(all[i].second);
    const auto passes = [&](RowId row, Slot) { return far.count(row) > 0; };
    const Restriction restriction = {RowPredicate(passes), matches, {}};
    std::vector<Hit> hits;
    ASSERT_TRUE(segment_->Search(query.data(), {}, &restriction, &hits).ok());
    ASSERT_EQ(hits.size(), std::min<size_t>(10, matches));
    for (const Hit& hit : hits) EXPECT_TRUE(far.count(hit.row) > 0);
  }
}

// An estimate that is wrong costs time, not hits.
TEST_F(SharedGraph, AWrongEstimateOfMatchesLosesNoHits) {
  const auto passes = [&](RowId row, Slot) { return row == 1000 || row == 1003; };
  for (const size_t estimate : {size_t{0}, size_t{15'000}, kMany}) {
    const Restriction restriction = {RowPredicate(passes), estimate, {}};
    const std::vector<uint8_t> query = rows_->Query();
    std::vector<Hit> hits;
    ASSERT_TRUE(segment_->Search(query.data(), {}, &restriction, &hits).ok());
    EXPECT_EQ(hits.size(), 2u) << estimate;
  }
}

TEST_F(SharedGraph, ABatchFindsWhatSingleSearchesFind) {
  std::vector<std::vector<uint8_t>> queries;
  std::vector<VectorData> pointers;
  for (int i = 0; i < 37; ++i) queries.push_back(rows_->Query());
  for (const auto& query : queries) pointers.push_back(query.data());
  std::vector<std::vector<Hit>> batch;
  ASSERT_TRUE(segment_->SearchBatch(pointers, {}, &batch).ok());
  ASSERT_EQ(batch.size(), queries.size());
  for (size_t i = 0; i < queries.size(); ++i) {
    std::vector<Hit> hits;
    ASSERT_TRUE(segment_->Search(pointers[i], {}, nullptr, &hits).ok());
    ASSERT_EQ(batch[i].size(), hits.size());
    for (size_t j = 0; j < hits.size(); ++j) EXPECT_EQ(batch[i][j].row, hits[j].row);
  }
}

TEST_F(SharedGraph, EveryTierFindsTheSame) {
  const std::vector<uint8_t> query = rows_->Query();
  std::vector<RowId> first;
  for (const Kernels* kernels : KernelTiers()) {
    segment_->UseKernels(kernels);
    std::vector<Hit> hits;
    ASSERT_TRUE(segment_->Search(query.data(), {}, nullptr, &hits).ok());
    std::vector<RowId> rows;
    for (const Hit& hit : hits) rows.push_back(hit.row);
    if (first.empty()) first = rows;
    EXPECT_EQ(rows, first) << kernels->tier;
  }
  segment_->UseKernels(&BestKernels());
}

TEST_F(SharedGraph, ARangeHasAllRowsUpToItsDistance) {
  for (const size_t rank : {3, 50, 400}) {
    const std::vector<uint8_t> query = rows_->Query();
    std::vector<double> distances;
    for (size_t i = 0; i < kMany; ++i) distances.push_back(rows_->Distance(query.data(), i));
    std::sort(distances.begin(), distances.end());
    const auto most = static_cast<float>((distances[rank - 1] + distances[rank]) / 2);
    SearchOptions options;
    options.k = 5000;
    std::vector<Hit> hits;
    ASSERT_TRUE(segment_->SearchRange(query.data(), most, options, nullptr, &hits).ok());
    EXPECT_LE(hits.size(), rank);
    EXPECT_GE(hits.size(), rank * 95 / 100);
    for (const Hit& hit : hits) EXPECT_LE(hit.distance, most);
    options.k = 2;
    ASSERT_TRUE(segment_->SearchRange(query.data(), most, options, nullptr, &hits).ok());
    EXPECT_EQ(hits.size(), 2u);
    ASSERT_TRUE(segment_->SearchRange(query.data(), -2.0f, options, nullptr, &hits).ok());
    EXPECT_TRUE(hits.empty());
  }
}

TEST_F(SharedGraph, ExactSearchIsExact) {
  const std::vector<uint8_t> query = rows_->Query();
  std::vector<Hit> hits;
  SearchOptions options;
  options.k = 100;
  ASSERT_TRUE(segment_->SearchExact(query.data(), options, nullptr, &hits).ok());
  EXPECT_EQ(Share(Truth(*rows_, query.data(), 100), hits), 1.0);
}

TEST_F(SharedGraph, AHugeKReturnsEveryRow) {
  SearchOptions options;
  options.k = kMany + 5;
  std::vector<Hit> hits;
  const std::vector<uint8_t> query = rows_->Query();
  ASSERT_TRUE(segment_->Search(query.data(), options, nullptr, &hits).ok());
  EXPECT_EQ(hits.size(), kMany);
}

TEST_F(SharedGraph, RowsAreFoundByTheirIds) {
  for (size_t i = 0; i < kMany; i += 997) {
    const Slot slot = segment_->Find(rows_->id(i));
    ASSERT_NE(slot, kNoSlot);
    EXPECT_EQ(segment_->row_id(slot), rows_->id(i));
    std::vector<Hit> hits;
    ASSERT_TRUE(segment_->Search(rows_->vector(i), {}, nullptr, &hits).ok());
    EXPECT_EQ(hits.front().row, rows_->id(i));
    EXPECT_NEAR(hits.front().distance, -1.0f, 1e-5);
  }
  EXPECT_EQ(segment_->Find(999), kNoSlot);
}

TEST_F(SharedGraph, ThreadsSearchAtOnce) {
  std::vector<std::vector<uint8_t>> queries;
  for (int i = 0; i < 8; ++i) queries.push_back(rows_->Query());
  std::vector<std::vector<Hit>> expected(queries.size());
  for (size_t i = 0; i < queries.size(); ++i) {
    ASSERT_TRUE(segment_->Search(queries[i].data(), {}, nullptr, &expected[i]).ok());
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < 200; ++i) {
        std::vector<Hit> hits;
        const size_t q = i % queries.size();
        if (!segment_->Search(queries[q].data(), {}, nullptr, &hits).ok() ||
            hits.front().row != expected[q].front().row) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

// Many equal rows are where pruning tears graphs apart.
TEST(SegmentBuildTest, EveryRowCanBeReachedAmongManyEqualOnes) {
  RandomRows rows({64, Metric::kL2, Storage::kFloat32}, 500, 4);
  rows.Duplicate(7, 3000);
  rows.Duplicate(8, 500);
  SealOptions seal;
  const std::unique_ptr<Segment> segment = Built(rows, seal);
  std::vector<bool> reached(rows.rows(), false);
  std::vector<Slot> stack = {segment->graph().entry()};
  for (const Slot slot : segment->unreachable()) stack.push_back(slot);
  for (const Slot slot : stack) reached[slot] = true;
  while (!stack.empty()) {
    const Slot slot = stack.back();
    stack.pop_back();
    for (uint32_t p = 0; p < segment->graph().places(0); ++p) {
      const Slot next = segment->graph().Places(slot, 0)[p];
      if (next == kNoSlot || reached[next]) continue;
      reached[next] = true;
      stack.push_back(next);
    }
  }
  // Twins are found with the first of them.
  for (Slot slot = 0; slot < segment->rows(); ++slot) {
    if (segment->twins().IsTwin(slot)) reached[slot] = reached[slot - 1];
  }
  EXPECT_EQ(segment->twins().count(), 3500u);
  EXPECT_EQ(std::count(reached.begin(), reached.end(), false), 0);
  EXPECT_LT(segment->unreachable().size(), rows.rows() / 100);
  std::vector<Hit> hits;
  for (size_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(segment->Search(rows.vector(i), {}, nullptr, &hits).ok());
    EXPECT_NEAR(hits.front().distance, 0.0f, 1e-3) << i;
  }
  SearchOptions options;
  options.k = 40;
  ASSERT_TRUE(segment->Search(rows.vector(7), options, nullptr, &hits).ok());
  EXPECT_NEAR(hits.back().distance, 0.0f, 1e-3) << "all are copies";
}

TEST(SegmentBuildTest, OneThreadBuildsTheSameGraphAgain) {
  RandomRows rows({64, Metric::kL2, Storage::kFloat32}, 2000, 4);
  const std::unique_ptr<Segment> a = Built(rows), b = Built(rows);
  const auto x = a->graph().base_places(), y = b->graph().base_places();
  EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin(), y.end()));
}

TEST(SegmentBuildTest, EmptyAndTinySegmentsAreSearched) {
  for (const size_t count : {0, 1, 2, 5}) {
    RandomRows rows({5, Metric::kL2, Storage::kInt8}, count, 4);
    const std::unique_ptr<Segment> segment = Built(rows);
    const std::vector<uint8_t> query = rows.Query();
    std::vector<Hit> hits;
    ASSERT_TRUE(segment->Search(query.data(), {}, nullptr, &hits).ok());
    EXPECT_EQ(hits.size(), count);
    ASSERT_TRUE(segment->SearchRange(query.data(), 1e30f, {}, nullptr, &hits).ok());
    EXPECT_EQ(hits.size(), count);
  }
}

TEST(SegmentBuildTest, ABuildCanBeStopped) {
  RandomRows rows({64, Metric::kL2, Storage::kFloat32}, 2000, 4);
  const std::atomic<bool> stop{true};
  SealOptions seal;
  seal.graph.stop = &stop;
  EXPECT_EQ(Segment::Build(rows.spec(), rows, seal).status().code(), StatusCode::kCancelled);
  seal.graph.stop = nullptr;
  seal.graph.links = 1;
  EXPECT_EQ(Segment::Build(rows.spec(), rows, seal).status().code(), StatusCode::kInvalidArgument);
}

TEST(SegmentBuildTest, AFailingReaderFailsTheSearch) {
  class Failing : public ExactReader {
    Status Read(std::span<const RowId>, float*) const override {
      return Internal("the disk is gone");
    }
  };
  RandomRows rows({64, Metric::kL2, Storage::kInt8}, 100, 4);
  const std::unique_ptr<Segment> segment = Built(rows);
  const Failing reader;
  SearchOptions options;
  options.reader = &reader;
  std::vector<Hit> hits;
  EXPECT_EQ(segment->Search(rows.vector(0), options, nullptr, &hits).code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace ragstone::index::vectors

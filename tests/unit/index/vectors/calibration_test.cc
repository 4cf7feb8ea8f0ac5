// Covers index/internal/vectors/calibration.cc.
#include "index/internal/vectors/calibration.h"

#include <gtest/gtest.h>

#include "tests/unit/index/vectors/map_reader.h"

namespace ragstone::index::vectors {
namespace {

std::unique_ptr<Segment> Built(const RandomRows& rows, uint32_t links, uint32_t ef = 60) {
  SealOptions seal;
  seal.graph.links = links;
  seal.graph.ef_construction = ef;
  seal.graph.threads = 2;
  Result<std::unique_ptr<Segment>> built = Segment::Build(rows.spec(), rows, seal);
  EXPECT_TRUE(built.ok());
  return std::move(*built);
}

TEST(CalibrationTest, TheEfThatIsFoundReachesTheTargetOnOtherQueries) {
  RandomRows rows({96, Metric::kCosine, Storage::kFloat32}, 20'000, 21);
  const std::unique_ptr<Segment> segment = Built(rows, 8);
  size_t before = 0;
  for (const float target : {0.8f, 0.95f, 0.99f}) {
    CalibrateOptions options;
    options.target_recall = target;
    const Result<Calibration> found = Calibrate(*segment, options);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_GE(found->recall, target);
    EXPECT_EQ(found->queries, 200u);
    EXPECT_GE(found->ef, before);
    before = found->ef;
    segment->set_ef(found->ef);
    double recall = 0;
    for (int i = 0; i < 100; ++i) {
      const std::vector<uint8_t> query = rows.Query();
      std::vector<Hit> hits;
      ASSERT_TRUE(segment->Search(query.data(), {}, nullptr, &hits).ok());
      recall += Share(Truth(rows, query.data(), 10), hits) / 100;
    }
    EXPECT_GE(recall, target - 0.03);
  }
}

// Each row is its own nearest: with itself among the results any recall would look better.
TEST(CalibrationTest, RowsAsQueriesAreNotFoundThemselves) {
  RandomRows rows({96, Metric::kCosine, Storage::kInt8}, 8000, 22);
  const std::unique_ptr<Segment> segment = Built(rows, 2, 4);  // a poor graph
  CalibrateOptions options;
  options.k = 1;
  options.target_recall = 1;
  const Result<Calibration> with_rows = Calibrate(*segment, options);
  ASSERT_TRUE(with_rows.ok());
  std::vector<std::vector<uint8_t>> asked;
  std::vector<VectorData> pointers;
  for (int i = 0; i < 100; ++i) asked.push_back(rows.Query());
  for (const auto& query : asked) pointers.push_back(query.data());
  options.queries = pointers;
  const Result<Calibration> with_queries = Calibrate(*segment, options);
  ASSERT_TRUE(with_queries.ok());
  EXPECT_EQ(with_queries->queries, 100u);
  EXPECT_GT(with_rows->ef, 8u) << "the smallest is enough to find a row by itself";
}

// Also for many hits, and under every metric.
TEST(CalibrationTest, TheTargetIsReachedForAnyNumberOfHits) {
  for (const Metric metric : {Metric::kInnerProduct, Metric::kCosine, Metric::kL2}) {
    RandomRows rows({64, metric, Storage::kFloat32}, 10'000, 24);
    const std::unique_ptr<Segment> segment = Built(rows, 6);
    CalibrateOptions options;
    options.target_recall = 0.97f;
    const Result<Calibration> found = Calibrate(*segment, options);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_GE(found->wide_ef, Segment::kWideHits);
    segment->set_ef(found->ef, found->wide_ef);
    for (const size_t k : {1, 10, 40, 100, 200}) {
      SearchOptions search;
      search.k = k;
      double recall = 0;
      for (int i = 0; i < 40; ++i) {
        const std::vector<uint8_t> query = rows.Query();
        std::vector<Hit> hits;
        ASSERT_TRUE(segment->Search(query.data(), search, nullptr, &hits).ok());
        recall += Share(Truth(rows, query.data(), k), hits) / 40;
      }
      EXPECT_GE(recall, 0.94) << MetricName(metric) << " " << k;
    }
  }
}

TEST(CalibrationTest, EfFollowsTheNumberOfHits) {
  RandomRows rows({8, Metric::kL2, Storage::kFloat32}, 10, 24);
  const std::unique_ptr<Segment> segment = Built(rows, 6);
  segment->set_ef(40);
  EXPECT_EQ(segment->EfOf(1000), 40u) << "not measured";
  segment->set_ef(40, 400);
  EXPECT_EQ(segment->EfOf(1), 40u);
  EXPECT_EQ(segment->EfOf(10), 40u);
  EXPECT_EQ(segment->EfOf(55), 220u);
  EXPECT_EQ(segment->EfOf(100), 400u);
  EXPECT_EQ(segment->EfOf(200), 800u);
  EXPECT_EQ(segment->EfOf(100'000), Segment::kEfMax);
}

// A query that is told to leave itself out needs no hit more than others.
TEST(CalibrationTest, RowsAskForAsManyHitsAsQueries) {
  RandomRows rows({64, Metric::kCosine, Storage::kFloat32}, 3000, 25);
  const std::unique_ptr<Segment> segment = Built(rows, 8);
  CalibrateOptions options;
  options.k = 3000;  // more than there are without the query
  options.queries_max = 3;
  const Result<Calibration> found = Calibrate(*segment, options);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->recall, 1.0f);
}

TEST(CalibrationTest, ACompactIndexIsMeasuredToo) {
  RandomRows rows({64, Metric::kCosine, Storage::kFloat32}, 20'000, 31);
  const Result<std::unique_ptr<CompactIndex>> index = CompactIndex::Build(rows.spec(), rows, {});
  ASSERT_TRUE(index.ok()) << index.status().ToString();
  EXPECT_EQ(Calibrate(**index, {}).status().code(), StatusCode::kFailedPrecondition);
  const MapReader reader(rows);
  CalibrateOptions options;
  options.reader = &reader;
  options.queries_max = 200;
  size_t before = 0;
  for (const float target : {0.9f, 0.99f, 1.0f}) {
    options.target_recall = target;
    const Result<Calibration> found = Calibrate(**index, options);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_GE(found->recall, target);
    EXPECT_EQ(found->queries, 200u);
    EXPECT_GE(found->ef, before);
    before = found->ef;
    (*index)->set_ef(found->ef);
    SearchOptions search;
    search.reader = &reader;
    double recall = 0;
    for (int i = 0; i < 60; ++i) {
      const std::vector<uint8_t> query = rows.Query();
      std::vector<Hit> hits;
      ASSERT_TRUE((*index)->Search(query.data(), search, nullptr, &hits).ok());
      recall += Share(Truth(rows, query.data(), 10), hits) / 60;
    }
    EXPECT_GE(recall, target - 0.05);
  }
  EXPECT_GT(before, CompactIndex::kEfMin) << "too easy to show anything";
}

TEST(CalibrationTest, WhatCannotBeMeasuredIsRefused) {
  RandomRows rows({384, Metric::kCosine, Storage::kBinary}, 3000, 23);
  const std::unique_ptr<Segment> segment = Built(rows, 8);
  EXPECT_EQ(Calibrate(*segment, {}).status().code(), StatusCode::kFailedPrecondition);
  const MapReader reader(rows);
  CalibrateOptions options;
  options.reader = &reader;
  options.queries_max = 30;
  EXPECT_TRUE(Calibrate(*segment, options).ok());
  const std::atomic<bool> stop{true};
  options.stop = &stop;
  EXPECT_EQ(Calibrate(*segment, options).status().code(), StatusCode::kCancelled);
  options.target_recall = 1.5f;
  EXPECT_EQ(Calibrate(*segment, options).status().code(), StatusCode::kInvalidArgument);
}

TEST(CalibrationTest, AScanHasARecallOfOne) {
  RandomRows rows({12, Metric::kL2, Storage::kFloat32}, 100, 23);
  SealOptions seal;
  seal.with_graph = false;
  Result<std::unique_ptr<Segment>> built = Segment::Build(rows.spec(), rows, seal);
  ASSERT_TRUE(built.ok());
  const Result<Calibration> found = Calibrate(**built, {});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->recall, 1.0f);
  EXPECT_EQ(found->queries, 0u);
}

}  // namespace
}  // namespace ragstone::index::vectors

// Covers index/internal/vectors/compact_index.cc.
#include "index/internal/vectors/compact_index.h"

#include <gtest/gtest.h>

#include "tests/unit/index/vectors/map_reader.h"

namespace ragstone::index::vectors {
namespace {

struct Case {
  const char* name;
  Method method;
  Metric metric;
  uint32_t dimensions;
};

class CompactIndexTest : public testing::TestWithParam<Case> {};

TEST_P(CompactIndexTest, FindsNearlyTheBestAndAlwaysEnough) {
  RandomRows rows({GetParam().dimensions, GetParam().metric, Storage::kFloat32}, 12'000, 31);
  CompactOptions build;
  build.method = GetParam().method;
  const Result<std::unique_ptr<CompactIndex>> index = CompactIndex::Build(rows.spec(), rows, build);
  ASSERT_TRUE(index.ok()) << index.status().ToString();
  EXPECT_LT((*index)->bytes(), rows.rows() * GetParam().dimensions * 4);
  const MapReader reader(rows);
  SearchOptions options;
  options.reader = &reader;
  options.ef = 400;
  for (const size_t one_in : {1, 10, 1000, 5000}) {
    const auto passes = [&](RowId row, Slot) { return row / 3 % one_in == 0; };
    const auto passes_row = [&](RowId row) { return passes(row, 0); };
    size_t matches = 0;
    for (size_t i = 0; i < rows.rows(); ++i) matches += passes_row(rows.id(i));
    const Restriction restriction = {RowPredicate(passes), matches, {}};
    double recall = 0;
    for (int i = 0; i < 10; ++i) {
      const std::vector<uint8_t> query = rows.Query();
      std::vector<Hit> hits;
      ASSERT_TRUE((*index)
                      ->Search(query.data(), options, one_in == 1 ? nullptr : &restriction, &hits)
                      .ok());
      EXPECT_EQ(hits.size(), std::min<size_t>(10, matches));
      EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end(), Nearer));
      recall += Share(Truth(rows, query.data(), 10, passes_row), hits) / 10;
    }
    EXPECT_GE(recall, 0.9) << "1 in " << one_in;
  }
  // Exact search reads what passes, and no more than a little at a time.
  const auto few = [&](RowId row, Slot) { return row % 5 == 0; };
  const auto few_row = [&](RowId row) { return few(row, 0); };
  const Restriction fifth = {RowPredicate(few), 2400, {}};
  for (int i = 0; i < 5; ++i) {
    const std::vector<uint8_t> query = rows.Query();
    std::vector<Hit> exact;
    ASSERT_TRUE((*index)->SearchExact(query.data(), options, &fifth, &exact).ok());
    EXPECT_EQ(exact.size(), 10u);
    EXPECT_EQ(Share(Truth(rows, query.data(), 10, few_row), exact), 1.0);
  }
  EXPECT_LE(reader.most_rows(), ExactDistances::kRowsAtOnce);
  // An ef that a client made up does not take all rows.
  SearchOptions wide = options;
  wide.ef = SIZE_MAX;
  std::vector<Hit> ten;
  ASSERT_TRUE((*index)->Search(rows.vector(5), wide, nullptr, &ten).ok());
  EXPECT_EQ(ten.size(), 10u);
  EXPECT_LE(reader.most_rows(), ExactDistances::kRowsAtOnce);
  // Without vectors the ranking is that of the codes.
  options.reader = nullptr;
  std::vector<Hit> hits;
  ASSERT_TRUE((*index)->Search(rows.vector(5), options, nullptr, &hits).ok());
  EXPECT_EQ(hits.size(), 10u);
}

INSTANTIATE_TEST_SUITE_P(
    All, CompactIndexTest,
    testing::Values(Case{"IvfPqCosine", Method::kIvfPq, Metric::kCosine, 48},
                    Case{"IvfPqL2OfOddDimensions", Method::kIvfPq, Metric::kL2, 51},
                    Case{"IvfPqInnerProduct", Method::kIvfPq, Metric::kInnerProduct, 48},
                    Case{"LshCosine", Method::kLsh, Metric::kCosine, 96}),
    [](const auto& tested) { return tested.param.name; });

TEST(CompactIndexTest, WhatItIsNotForIsRefused) {
  RandomRows few({16, Metric::kL2, Storage::kFloat32}, 100, 1);
  EXPECT_EQ(CompactIndex::Build(few.spec(), few, {}).status().code(),
            StatusCode::kFailedPrecondition);
  RandomRows bits({16, Metric::kHamming, Storage::kBinary}, 100, 1);
  EXPECT_EQ(CompactIndex::Build(bits.spec(), bits, {}).status().code(),
            StatusCode::kInvalidArgument);
  CompactOptions graph;
  graph.method = Method::kGraph;
  EXPECT_EQ(CompactIndex::Build(few.spec(), few, graph).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ragstone::index::vectors

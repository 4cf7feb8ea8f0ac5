// Covers index/internal/vectors/compact_index.cc, compact_io.cc and chunk_parts.cc.
#include "index/internal/vectors/compact_index.h"

#include <gtest/gtest.h>

#include "tests/unit/index/vectors/chunks.h"
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

TEST_P(CompactIndexTest, IsReadAsItWasWritten) {
  RandomRows rows({GetParam().dimensions, GetParam().metric, Storage::kInt8}, 12'000, 31);
  CompactOptions build;
  build.method = GetParam().method;
  const Result<std::unique_ptr<CompactIndex>> index = CompactIndex::Build(rows.spec(), rows, build);
  ASSERT_TRUE(index.ok()) << index.status().ToString();
  (*index)->set_ef(321);
  Chunks chunks;
  SegmentWriteOptions written;
  written.covers_seq = 42;
  written.stamp = 7;
  ASSERT_TRUE((*index)->Write(written, &chunks).ok());
  const Result<LoadedIndex<CompactIndex>> loaded = CompactIndex::Read(chunks);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ(loaded->covers_seq, 42u);
  EXPECT_EQ(loaded->stamp, 7u);
  EXPECT_EQ(loaded->index->ef(), 321u);
  EXPECT_EQ(loaded->index->spec(), rows.spec());
  EXPECT_EQ(loaded->index->rows(), rows.rows());
  EXPECT_EQ(loaded->index->bytes(), (*index)->bytes());
  for (size_t i = 0; i < rows.rows(); i += 97) {
    const Slot slot = loaded->index->Find(rows.id(i));
    ASSERT_NE(slot, kNoSlot);
    EXPECT_EQ(loaded->index->row_id(slot), rows.id(i));
  }
  EXPECT_EQ(loaded->index->Find(1), kNoSlot);
  for (int i = 0; i < 10; ++i) {
    const std::vector<uint8_t> query = rows.Query();
    std::vector<Hit> x, y;
    ASSERT_TRUE((*index)->Search(query.data(), {}, nullptr, &x).ok());
    ASSERT_TRUE(loaded->index->Search(query.data(), {}, nullptr, &y).ok());
    ASSERT_EQ(x.size(), y.size());
    for (size_t j = 0; j < x.size(); ++j) {
      EXPECT_EQ(x[j].row, y[j].row);
      EXPECT_EQ(x[j].distance, y[j].distance);
    }
  }
}

TEST_P(CompactIndexTest, AnyDamageOfWhatWasStoredIsRefused) {
  RandomRows rows({GetParam().dimensions, GetParam().metric, Storage::kInt8}, 10'000, 31);
  CompactOptions build;
  build.method = GetParam().method;
  build.lists = 16;
  const Result<std::unique_ptr<CompactIndex>> index = CompactIndex::Build(rows.spec(), rows, build);
  ASSERT_TRUE(index.ok()) << index.status().ToString();
  Chunks good;
  ASSERT_TRUE((*index)->Write({}, &good).ok());
  const auto refused = [](const Chunks& chunks) {
    return CompactIndex::Read(chunks).status().code() == StatusCode::kDataLoss;
  };
  ExpectDamageIsRefused(good, refused);
  // What has a checksum that fits is looked at all the same: each piece of 8 bytes, turned over.
  std::mt19937 random(3);
  constexpr size_t kFrame = 4 + 1 + 8 + 4;
  for (int i = 0; i < 200; ++i) {
    Chunks bad = good;
    std::string& chunk = bad.chunks[1];
    Forge(&chunk, kFrame + random() % (chunk.size() - kFrame - 16), ~uint64_t{0});
    const Result<LoadedIndex<CompactIndex>> loaded = CompactIndex::Read(bad);
    if (!loaded.ok()) {
      EXPECT_EQ(loaded.status().code(), StatusCode::kDataLoss);
      continue;
    }
    // Codes have no wrong values: what is read can be searched.
    std::vector<Hit> hits;
    ASSERT_TRUE(loaded->index->Search(rows.vector(0), {}, nullptr, &hits).ok());
    EXPECT_EQ(hits.size(), 10u);
  }
  class Full : public ChunkSink {
    Status Put(uint32_t number, std::string_view) override {
      return number == 0 ? OkStatus() : ResourceExhausted(Reason::kDiskFull, "the disk is full");
    }
  };
  Full sink;
  EXPECT_EQ((*index)->Write({}, &sink).reason(), Reason::kDiskFull);
}

INSTANTIATE_TEST_SUITE_P(
    All, CompactIndexTest,
    testing::Values(Case{"IvfPqCosine", Method::kIvfPq, Metric::kCosine, 48},
                    Case{"IvfPqL2OfOddDimensions", Method::kIvfPq, Metric::kL2, 51},
                    Case{"IvfPqInnerProduct", Method::kIvfPq, Metric::kInnerProduct, 48},
                    Case{"LshCosine", Method::kLsh, Metric::kCosine, 96}),
    [](const auto& tested) { return tested.param.name; });

// A caller's rows that cannot be had end the build, not the process.
TEST(CompactIndexTest, AnExceptionWhileItIsBuiltBecomesAStatus) {
  class Failing : public RandomRows {
   public:
    using RandomRows::RandomRows;
    VectorData vector(size_t i) const override {
      if (i == 11'000) throw std::bad_alloc();
      return RandomRows::vector(i);
    }
  };
  const Failing rows({16, Metric::kL2, Storage::kFloat32}, 12'000, 1);
  for (const Method method : {Method::kIvfPq, Method::kLsh}) {
    CompactOptions options;
    options.method = method;
    const Status status = CompactIndex::Build(rows.spec(), rows, options).status();
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
    EXPECT_EQ(status.reason(), Reason::kMemoryLimit);
  }
}

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

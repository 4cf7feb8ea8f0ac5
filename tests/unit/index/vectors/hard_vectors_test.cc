// Sets of vectors that codes, graphs and ties could make lose hits. Covers top_slots.h,
// exact_distances.cc, codes.cc, segment.cc, segment_search.cc, walk.cc and graph_builder.cc of
// index/internal/vectors.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "index/internal/vectors/growing_segment.h"
#include "index/internal/vectors/segment.h"
#include "tests/unit/index/vectors/map_reader.h"

namespace ragstone::index::vectors {
namespace {

// Rows as they are given, numbered from 0.
class GivenRows : public RowSource, public ExactReader {
 public:
  explicit GivenRows(uint32_t dimensions) : dimensions_(dimensions) {}
  void Add(const std::vector<float>& row) { values_.insert(values_.end(), row.begin(), row.end()); }
  size_t rows() const override { return values_.size() / dimensions_; }
  RowId id(size_t i) const override { return i; }
  VectorData vector(size_t i) const override { return values_.data() + i * dimensions_; }
  Status Read(std::span<const RowId> rows, float* vectors) const override {
    most_read = std::max(most_read, rows.size());
    for (const RowId row : rows) {
      vectors = std::copy_n(values_.data() + row * dimensions_, dimensions_, vectors);
    }
    return OkStatus();
  }
  // The place of the row with the largest inner product or the smallest distance.
  RowId Best(const std::vector<float>& query, Metric metric) const {
    RowId best = 0;
    double best_distance = std::numeric_limits<double>::max();
    for (size_t i = 0; i < rows(); ++i) {
      double dot = 0, squared = 0;
      for (uint32_t d = 0; d < dimensions_; ++d) {
        const double value = values_[i * dimensions_ + d];
        dot += value * query[d];
        squared += (value - query[d]) * (value - query[d]);
      }
      const double distance = metric == Metric::kL2 ? squared : -dot;
      if (distance < best_distance) best = i;
      best_distance = std::min(best_distance, distance);
    }
    return best;
  }
  mutable size_t most_read = 0;

 private:
  const uint32_t dimensions_;
  std::vector<float> values_;
};

std::vector<float> Normal(uint32_t dimensions, std::mt19937* random, float scale = 1) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(dimensions);
  for (float& value : values) value = normal(*random);
  return values;
}

std::unique_ptr<Segment> Built(const VectorSpec& spec, const RowSource& rows, bool graph,
                               const BuildOptions& build = {}) {
  SealOptions seal;
  seal.with_graph = graph;
  seal.graph = build;
  Result<std::unique_ptr<Segment>> built = Segment::Build(spec, rows, seal);
  EXPECT_TRUE(built.ok()) << built.status().ToString();
  return built.ok() ? std::move(*built) : nullptr;
}

TEST(TopSlotsTest, EquallyNearRowsAreCutByTheirNumbers) {
  for (const size_t most : {1, 5, 300}) {
    TopSlots top(most);
    for (RowId row = 2000; row > 0; --row) top.Offer(1.0f, row, static_cast<Slot>(2000 - row));
    const std::vector<Hit>& hits = top.Sorted();
    ASSERT_EQ(hits.size(), most);
    for (size_t i = 0; i < most; ++i) EXPECT_EQ(hits[i].row, i + 1);
  }
}

TEST(TopSlotsTest, WhatIsNoNumberIsNoHit) {
  TopSlots top(3);
  top.Offer(std::numeric_limits<float>::quiet_NaN(), 1, 1);
  top.Offer(2.0f, 2, 2);
  top.Offer(std::numeric_limits<float>::quiet_NaN(), 3, 3);
  ASSERT_EQ(top.Sorted().size(), 1u);
  EXPECT_EQ(top.Sorted()[0].row, 2u);
}

// Slots are in the order of a walk, so that equally near rows must be told apart by more than them.
TEST(HardVectorsTest, EquallyNearRowsAreGivenInTheirOrder) {
  constexpr uint32_t kBits = 128;
  RandomRows rows({kBits, Metric::kHamming, Storage::kBinary}, 9000, 12);
  const std::unique_ptr<Segment> segment = Built(rows.spec(), rows, true);
  for (int i = 0; i < 20; ++i) {
    const std::vector<uint8_t> query = rows.Query();
    std::vector<Hit> hits;
    ASSERT_TRUE(segment->SearchExact(query.data(), {}, nullptr, &hits).ok());
    const std::vector<RowId> truth = Truth(rows, query.data(), 10);
    for (size_t j = 0; j < truth.size(); ++j) EXPECT_EQ(hits[j].row, truth[j]);
  }
}

// Two rows in two thousand are so much longer than the others that they are nearly always the best.
TEST(HardVectorsTest, LongRowsAreFoundUnderInnerProduct) {
  constexpr uint32_t kDimensions = 64;
  std::mt19937 random(4);
  GivenRows rows(kDimensions);
  for (int i = 0; i < 6000; ++i) rows.Add(Normal(kDimensions, &random, i % 3000 == 7 ? 100 : 1));
  const VectorSpec spec = {kDimensions, Metric::kInnerProduct, Storage::kFloat32};
  for (const bool graph : {false, true}) {
    const std::unique_ptr<Segment> segment = Built(spec, rows, graph);
    SearchOptions options;
    options.k = 1;
    size_t right = 0;
    for (int i = 0; i < 200; ++i) {
      const std::vector<float> query = Normal(kDimensions, &random);
      std::vector<Hit> hits;
      ASSERT_TRUE(segment->Search(query.data(), options, nullptr, &hits).ok());
      ASSERT_EQ(hits.size(), 1u);
      right += hits[0].row == rows.Best(query, spec.metric);
    }
    // Codes of long rows have large errors.
    EXPECT_GE(right, 190u) << graph;
  }
}

// A few rows far from all others must not all be taken for the same.
TEST(HardVectorsTest, RowsOfAFarClusterAreToldApart) {
  constexpr uint32_t kDimensions = 64;
  std::mt19937 random(4);
  std::uniform_real_distribution<float> uniform(-1, 1);
  GivenRows rows(kDimensions);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<float> row(kDimensions);
    for (float& value : row) value = uniform(random);
    if (i % 1000 == 3) {
      for (float& value : row) value += 40;
    }
    rows.Add(row);
  }
  const VectorSpec spec = {kDimensions, Metric::kL2, Storage::kFloat32};
  const std::unique_ptr<Segment> segment = Built(spec, rows, false);
  SearchOptions options;
  options.k = 1;
  for (size_t i = 3; i < 20'000; i += 1000) {
    std::vector<Hit> hits;
    ASSERT_TRUE(segment->Search(rows.vector(i), options, nullptr, &hits).ok());
    EXPECT_EQ(hits[0].row, i);
  }
}

// Codes of few dimensions are the same for thousands of rows.
TEST(HardVectorsTest, CloseRowsOfFewDimensionsAreToldApart) {
  constexpr uint32_t kDimensions = 4;
  std::mt19937 random(4);
  GivenRows rows(kDimensions);
  for (int i = 0; i < 12'000; ++i) rows.Add(Normal(kDimensions, &random, i % 4 == 0 ? 0.001f : 1));
  for (const Storage storage : {Storage::kInt8, Storage::kBinary}) {
    const VectorSpec spec = {kDimensions, Metric::kL2, storage};
    const std::unique_ptr<Segment> segment = Built(spec, rows, true);
    SearchOptions options;
    options.k = 1;
    options.reader = &rows;
    size_t right = 0;
    for (int i = 0; i < 100; ++i) {
      const std::vector<float> query = Normal(kDimensions, &random, 0.001f);
      std::vector<Hit> hits;
      ASSERT_TRUE(segment->Search(query.data(), options, nullptr, &hits).ok());
      right += hits[0].row == rows.Best(query, spec.metric);
    }
    EXPECT_GE(right, 98u) << StorageName(storage);
  }
}

// A graph of so few links falls into pieces.
TEST(HardVectorsTest, APoorGraphStillGivesKHits) {
  RandomRows rows({64, Metric::kL2, Storage::kFloat32}, 4000, 8);
  BuildOptions build;
  build.links = 2;
  build.ef_construction = 1;
  const std::unique_ptr<Segment> segment = Built(rows.spec(), rows, true, build);
  SearchOptions options;
  options.k = 100;
  std::vector<std::vector<uint8_t>> queries;
  std::vector<VectorData> pointers;
  for (int i = 0; i < 100; ++i) queries.push_back(rows.Query());
  for (const std::vector<uint8_t>& query : queries) pointers.push_back(query.data());
  std::vector<std::vector<Hit>> batch;
  ASSERT_TRUE(segment->SearchBatch(pointers, options, &batch).ok());
  for (size_t i = 0; i < queries.size(); ++i) {
    std::vector<Hit> hits;
    ASSERT_TRUE(segment->Search(pointers[i], options, nullptr, &hits).ok());
    EXPECT_EQ(hits.size(), options.k);
    EXPECT_EQ(batch[i].size(), options.k);
  }
}

// What one of them leads to need not be named.
TEST(HardVectorsTest, OnlyOneSlotOfALostPartIsCalledUnreachable) {
  RandomRows rows({64, Metric::kL2, Storage::kFloat32}, 4000, 8);
  BuildOptions build;
  build.links = 2;
  build.ef_construction = 1;
  const std::unique_ptr<Segment> segment = Built(rows.spec(), rows, true, build);
  ASSERT_FALSE(segment->unreachable().empty());
  std::vector<bool> reached(rows.rows(), false);
  const auto reach = [&](Slot from) {
    std::vector<Slot> stack = {from};
    reached[from] = true;
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
  };
  reach(segment->graph().entry());
  for (const Slot slot : segment->unreachable()) {
    EXPECT_FALSE(reached[slot]) << slot;
    reach(slot);
  }
  for (Slot slot = 0; slot < segment->rows(); ++slot) {
    EXPECT_TRUE(reached[slot] || segment->twins().IsTwin(slot)) << slot;
  }
}

TEST(HardVectorsTest, CopiesThatDoNotPassAreAskedAboutOnce) {
  RandomRows rows({64, Metric::kL2, Storage::kFloat32}, 8000, 8);
  rows.Duplicate(5, 30'000);
  const RowId copied = rows.id(5);
  const std::unique_ptr<Segment> segment = Built(rows.spec(), rows, true);
  const Slot copied_slot = segment->Find(copied);
  std::vector<bool> copies(segment->rows());
  segment->twins().ForEqual(copied_slot, [&](Slot slot) { return copies[slot] = true; });
  ASSERT_GE(segment->twins().count(), 30'000u);
  size_t calls = 0;
  const auto passes = [&](RowId, Slot slot) {
    ++calls;
    return !copies[slot];
  };
  const Restriction restriction = {RowPredicate(passes), 8000, {}};
  SearchOptions options;
  options.scan_matches_max = 1000;
  for (int i = 0; i < 50; ++i) {
    const std::vector<uint8_t> query = rows.Query();
    std::vector<Hit> hits;
    calls = 0;
    ASSERT_TRUE(segment->Search(query.data(), options, &restriction, &hits).ok());
    EXPECT_EQ(hits.size(), 10u);
    EXPECT_LE(calls, 4 * segment->rows());
  }
}

TEST(HardVectorsTest, ExactSearchReadsPieceByPieceWhatPasses) {
  RandomRows random_rows({384, Metric::kCosine, Storage::kBinary}, 5000, 8);
  const MapReader reader(random_rows);
  const std::unique_ptr<Segment> segment = Built(random_rows.spec(), random_rows, true);
  class Counting : public ExactReader {
   public:
    explicit Counting(const ExactReader& reader) : reader_(reader) {}
    Status Read(std::span<const RowId> rows, float* vectors) const override {
      most = std::max(most, rows.size());
      all += rows.size();
      return reader_.Read(rows, vectors);
    }
    mutable size_t most = 0;
    mutable size_t all = 0;

   private:
    const ExactReader& reader_;
  };
  const Counting counting(reader);
  const auto odd = [](RowId row, Slot) { return row % 2 == 1; };
  size_t matches = 0;
  for (size_t i = 0; i < random_rows.rows(); ++i) matches += random_rows.id(i) % 2;
  const Restriction restriction = {RowPredicate(odd), matches, {}};
  SearchOptions options;
  options.reader = &counting;
  const std::vector<uint8_t> query = random_rows.Query();
  std::vector<Hit> hits;
  ASSERT_TRUE(segment->SearchExact(query.data(), options, &restriction, &hits).ok());
  const auto odd_row = [](RowId row) { return row % 2 == 1; };
  EXPECT_EQ(Share(Truth(random_rows, query.data(), 10, odd_row), hits), 1.0);
  EXPECT_EQ(counting.all, matches);
  EXPECT_LE(counting.most, ExactDistances::kRowsAtOnce);
  // A range of them: all that pass and are near enough.
  const float fifth = hits[4].distance;
  ASSERT_TRUE(segment->SearchRange(query.data(), fifth, options, &restriction, &hits).ok());
  EXPECT_EQ(hits.size(), 5u);
  for (const Hit& hit : hits) EXPECT_EQ(hit.row % 2, 1u);
  // Many candidates are also read piece by piece.
  counting.most = 0;
  options.k = 2000;
  ASSERT_TRUE(segment->Search(query.data(), options, nullptr, &hits).ok());
  EXPECT_EQ(hits.size(), 2000u);
  EXPECT_LE(counting.most, ExactDistances::kRowsAtOnce);
}

}  // namespace
}  // namespace ragstone::index::vectors

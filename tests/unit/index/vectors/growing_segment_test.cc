// Covers growing_segment.cc and lower_bounds.cc.
#include "index/internal/vectors/growing_segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>
#include <string>
#include <thread>

#include "index/internal/vectors/kernel_tiers.h"
#include "tests/unit/index/vectors/map_reader.h"

namespace ragstone::index::vectors {
namespace {

TEST(GrowingSegmentTest, FindsExactlyWhatWasPublished) {
  RandomRows rows({384, Metric::kCosine, Storage::kFloat32}, 3000, 9);
  Result<std::unique_ptr<GrowingSegment>> made = GrowingSegment::Make(rows.spec(), 3000);
  ASSERT_TRUE(made.ok());
  GrowingSegment& growing = **made;
  const std::vector<uint8_t> query = rows.Query();
  std::vector<Hit> hits;
  ASSERT_TRUE(growing.Search(query.data(), {}, nullptr, &hits).ok());
  EXPECT_TRUE(hits.empty());
  for (size_t i = 0; i < 3000; ++i) ASSERT_TRUE(growing.Append(rows.id(i), rows.vector(i)).ok());
  ASSERT_TRUE(growing.Search(query.data(), {}, nullptr, &hits).ok());
  EXPECT_TRUE(hits.empty()) << "not published yet";
  growing.Publish();
  ASSERT_TRUE(growing.Search(query.data(), {}, nullptr, &hits).ok());
  const std::vector<RowId> truth = Truth(rows, query.data(), 10);
  EXPECT_EQ(Share(truth, hits), 1.0);
  EXPECT_EQ(growing.Append(1, rows.vector(0)).code(), StatusCode::kResourceExhausted);

  const auto odd = [](RowId row, Slot) { return row % 2 == 1; };
  const Restriction restriction = {RowPredicate(odd), 1500, {}};
  ASSERT_TRUE(growing.Search(query.data(), {}, &restriction, &hits).ok());
  EXPECT_EQ(Share(Truth(rows, query.data(), 10, [&](RowId row) { return odd(row, 0); }), hits),
            1.0);

  const float fifth = hits[4].distance;
  ASSERT_TRUE(growing.SearchRange(query.data(), fifth, {}, &restriction, &hits).ok());
  EXPECT_EQ(hits.size(), 5u);

  // It is what a segment is made from.
  Result<std::unique_ptr<Segment>> sealed = Segment::Build(growing.spec(), growing, {});
  ASSERT_TRUE(sealed.ok());
  ASSERT_TRUE((*sealed)->Search(query.data(), {}, nullptr, &hits).ok());
  EXPECT_GE(Share(truth, hits), 0.9);
}

TEST(GrowingSegmentTest, OneWritesWhileOthersSearch) {
  RandomRows rows({33, Metric::kL2, Storage::kFloat32}, 5000, 9);
  Result<std::unique_ptr<GrowingSegment>> made = GrowingSegment::Make(rows.spec(), 5000);
  ASSERT_TRUE(made.ok());
  GrowingSegment& growing = **made;
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!done.load()) {
        const size_t before = growing.rows();
        std::vector<Hit> hits;
        SearchOptions options;
        options.k = 5000;
        if (!growing.Search(rows.vector(0), options, nullptr, &hits).ok() || hits.size() < before) {
          ++wrong;
        }
      }
    });
  }
  for (size_t i = 0; i < 5000; ++i) {
    ASSERT_TRUE(growing.Append(rows.id(i), rows.vector(i)).ok());
    if (i % 7 == 0) growing.Publish();
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0);
}

// Vectors that are hard for codes: of very different lengths, with a few large values, far from
// zero, nearly equal, the same.
class HardRows : public RowSource {
 public:
  HardRows(uint32_t dimensions, size_t rows, uint32_t seed) : dimensions_(dimensions) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < rows; ++i) {
      const float scale = std::pow(10.0f, normal(random));
      const float shift = i % 3 == 0 ? 5.0f : 0.0f;
      std::vector<float> row(dimensions);
      for (float& value : row) value = shift + scale * normal(random);
      if (i % 5 == 0) row[random() % dimensions] *= 100;
      if (i % 7 == 6) {
        row = rows_[i - 3];
        if (i % 2 == 0) row[0] += 1e-3f;
      }
      rows_.push_back(std::move(row));
    }
  }
  size_t rows() const override { return rows_.size(); }
  RowId id(size_t i) const override { return 5 * i + 1; }
  VectorData vector(size_t i) const override { return rows_[i].data(); }

 private:
  const uint32_t dimensions_;
  std::vector<std::vector<float>> rows_;
};

// The nearest by the same kernels over all rows.
std::vector<Hit> NearestByFloats(const VectorSpec& spec, const RowSource& rows, VectorData query,
                                 size_t k) {
  CodePlan plan;
  plan.metric = spec.metric;
  plan.dimensions = spec.dimensions;
  Result<Codes> codes = Codes::Make(plan, rows.rows());
  EXPECT_TRUE(codes.ok());
  CodedQuery coded;
  codes->Prepare(query, &coded);
  std::vector<Hit> hits;
  for (size_t i = 0; i < rows.rows(); ++i) {
    const auto slot = static_cast<Slot>(i);
    codes->Encode(slot, rows.vector(i));
    Hit hit{rows.id(i), slot, 0};
    codes->Distances(coded, &slot, 1, &hit.distance);
    hits.push_back(hit);
  }
  std::sort(hits.begin(), hits.end(), Nearer);
  hits.resize(std::min(k, hits.size()));
  return hits;
}

class BoundedScanTest : public testing::TestWithParam<Metric> {};

TEST_P(BoundedScanTest, IsExactForEveryKindOfRow) {
  for (const uint32_t dimensions : {64u, 100u, 384u, 1000u}) {
    const VectorSpec spec = {dimensions, GetParam(), Storage::kFloat32};
    const HardRows hard(dimensions, 3000, dimensions);
    RandomRows clustered(spec, 3000, dimensions);
    for (const RowSource* rows :
         {static_cast<const RowSource*>(&hard), static_cast<const RowSource*>(&clustered)}) {
      Result<std::unique_ptr<GrowingSegment>> growing = GrowingSegment::Make(spec, 3000);
      ASSERT_TRUE(growing.ok());
      for (size_t i = 0; i < 3000; ++i) {
        ASSERT_TRUE((*growing)->Append(rows->id(i), rows->vector(i)).ok());
      }
      (*growing)->Publish();
      for (const size_t k : {size_t{1}, size_t{10}, size_t{700}}) {
        for (size_t query = 0; query < 3000; query += 613) {
          SearchOptions options;
          options.k = k;
          std::vector<Hit> hits;
          ASSERT_TRUE((*growing)->Search(rows->vector(query), options, nullptr, &hits).ok());
          const std::vector<Hit> truth = NearestByFloats(spec, *rows, rows->vector(query), k);
          ASSERT_EQ(hits.size(), truth.size());
          for (size_t i = 0; i < hits.size(); ++i) {
            ASSERT_EQ(hits[i].row, truth[i].row) << "of " << k << ", at " << i;
            ASSERT_EQ(hits[i].distance, truth[i].distance);
          }
        }
      }
    }
  }
}

TEST_P(BoundedScanTest, BoundsHoldForEveryTierAndLeaveMostRowsOut) {
  const VectorSpec spec = {384, GetParam(), Storage::kFloat32};
  RandomRows rows(spec, 2000, 3);
  CodePlan plan;
  plan.metric = spec.metric;
  plan.dimensions = spec.dimensions;
  Result<Codes> codes = Codes::Make(plan, 2000);
  Result<LowerBounds> bounds = LowerBounds::Make(spec, 2000);
  ASSERT_TRUE(codes.ok() && bounds.ok());
  for (Slot slot = 0; slot < 2000; ++slot) {
    codes->Encode(slot, rows.vector(slot));
    bounds->Encode(slot, reinterpret_cast<const float*>(codes->RowView(slot).data()));
  }
  for (const Kernels* kernels : KernelTiers()) {
    codes->UseKernels(kernels);
    const std::vector<uint8_t> query = rows.Query();
    CodedQuery coded;
    BoundedQuery bounded;
    codes->Prepare(query.data(), &coded);
    bounds->Prepare(query.data(), &bounded);
    std::vector<float> exact, least;
    for (Slot slot = 0; slot < 2000; ++slot) {
      codes->Distances(coded, &slot, 1, &exact.emplace_back());
      bounds->Distances(bounded, &slot, 1, &least.emplace_back());
      ASSERT_LE(least.back(), exact.back()) << kernels->tier << ", row " << slot;
    }
    std::vector<float> sorted = exact;
    std::nth_element(sorted.begin(), sorted.begin() + 9, sorted.end());
    const auto near =
        std::count_if(least.begin(), least.end(), [&](float bound) { return bound <= sorted[9]; });
    EXPECT_LT(near, 200) << kernels->tier;
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, BoundedScanTest,
                         testing::Values(Metric::kInnerProduct, Metric::kCosine, Metric::kL2),
                         [](const auto& info) {
                           std::string name(MetricName(info.param));
                           std::erase(name, ' ');
                           return name;
                         });

}  // namespace
}  // namespace ragstone::index::vectors

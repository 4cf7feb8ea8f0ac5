// Covers index/internal/vectors/segment_io.cc.
#include "index/internal/vectors/segment_io.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/index/vectors/chunks.h"
#include "tests/unit/index/vectors/map_reader.h"

namespace ragstone::index::vectors {
namespace {

std::unique_ptr<Segment> Built(const RandomRows& rows) {
  Result<std::unique_ptr<Segment>> built = Segment::Build(rows.spec(), rows, {});
  EXPECT_TRUE(built.ok());
  return std::move(*built);
}

void ExpectSameHits(const Segment& a, const Segment& b, RandomRows* rows) {
  for (int i = 0; i < 10; ++i) {
    const std::vector<uint8_t> query = rows->Query();
    std::vector<Hit> x, y;
    ASSERT_TRUE(a.Search(query.data(), {}, nullptr, &x).ok());
    ASSERT_TRUE(b.Search(query.data(), {}, nullptr, &y).ok());
    ASSERT_EQ(x.size(), y.size());
    for (size_t j = 0; j < x.size(); ++j) {
      EXPECT_EQ(x[j].row, y[j].row);
      EXPECT_EQ(x[j].distance, y[j].distance);
    }
  }
}

TEST(SegmentIoTest, ASegmentOfEveryKindIsReadAsItWasWritten) {
  for (const VectorSpec& spec :
       {VectorSpec{96, Metric::kCosine, Storage::kFloat32},
        VectorSpec{65, Metric::kL2, Storage::kFloat16}, VectorSpec{65, Metric::kL2, Storage::kInt8},
        VectorSpec{5, Metric::kInnerProduct, Storage::kFloat32},
        VectorSpec{129, Metric::kCosine, Storage::kBinary},
        VectorSpec{77, Metric::kHamming, Storage::kBinary}}) {
    RandomRows rows(spec, 3000, 6);
    rows.Duplicate(3, 100);
    const std::unique_ptr<Segment> segment = Built(rows);
    segment->set_ef(111, 222);
    Chunks chunks;
    SegmentWriteOptions options;
    options.covers_seq = 42;
    options.stamp = 7;
    ASSERT_TRUE(WriteSegment(*segment, options, &chunks).ok());
    Result<LoadedSegment> loaded = ReadSegment(chunks, nullptr);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_EQ(loaded->covers_seq, 42u);
    EXPECT_EQ(loaded->stamp, 7u);
    EXPECT_EQ(loaded->index->ef(), 111u);
    EXPECT_EQ(loaded->index->wide_ef(), 222u);
    EXPECT_EQ(loaded->index->spec(), spec);
    EXPECT_EQ(loaded->index->twins().count(), segment->twins().count());
    ExpectSameHits(*segment, *loaded->index, &rows);
  }
}

TEST(SegmentIoTest, VectorsThatAreStoredElsewhereAreReadFromThere) {
  RandomRows rows({96, Metric::kCosine, Storage::kFloat32}, 9000, 6);
  const std::unique_ptr<Segment> segment = Built(rows);
  Chunks whole, less;
  SegmentWriteOptions options;
  ASSERT_TRUE(WriteSegment(*segment, options, &whole).ok());
  options.with_exact = false;
  ASSERT_TRUE(WriteSegment(*segment, options, &less).ok());
  EXPECT_LT(less.chunks.size(), whole.chunks.size());
  const MapReader reader(rows);
  Result<LoadedSegment> loaded = ReadSegment(less, &reader);
  ASSERT_TRUE(loaded.ok());
  ExpectSameHits(*segment, *loaded->index, &rows);
  Result<LoadedSegment> without = ReadSegment(less, nullptr);
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(without->index->has_exact());
  std::vector<Hit> hits;
  ASSERT_TRUE(without->index->Search(rows.vector(0), {}, nullptr, &hits).ok());
  EXPECT_EQ(hits.front().row, rows.id(0));
}

TEST(SegmentIoTest, EmptySegmentsAndSegmentsWithoutGraphAreStored) {
  for (const size_t count : {0, 50}) {
    RandomRows rows({9, Metric::kL2, Storage::kFloat32}, count, 6);
    SealOptions seal;
    seal.with_graph = false;
    Result<std::unique_ptr<Segment>> segment = Segment::Build(rows.spec(), rows, seal);
    ASSERT_TRUE(segment.ok());
    Chunks chunks;
    ASSERT_TRUE(WriteSegment(**segment, {}, &chunks).ok());
    Result<LoadedSegment> loaded = ReadSegment(chunks, nullptr);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_EQ(loaded->index->rows(), count);
    EXPECT_FALSE(loaded->index->has_graph());
  }
}

TEST(SegmentIoTest, AnyDamageIsRefused) {
  RandomRows rows({65, Metric::kL2, Storage::kInt8}, 20'000, 6);
  SealOptions seal;
  seal.with_graph = false;
  Result<std::unique_ptr<Segment>> segment = Segment::Build(rows.spec(), rows, seal);
  ASSERT_TRUE(segment.ok());
  Chunks good;
  ASSERT_TRUE(WriteSegment(**segment, {}, &good).ok());
  ASSERT_GE(good.chunks.size(), 3u);
  const auto refused = [](const Chunks& chunks) {
    return ReadSegment(chunks, nullptr).status().code() == StatusCode::kDataLoss;
  };
  ExpectDamageIsRefused(good, refused);
  SegmentWriteOptions other;
  other.stamp = 99;
  Chunks foreign;
  ASSERT_TRUE(WriteSegment(**segment, other, &foreign).ok());
  Chunks bad = good;
  bad.chunks[1] = foreign.chunks[1];
  EXPECT_TRUE(refused(bad)) << "a chunk of another segment";
}

TEST(SegmentIoTest, ValuesThatNoSegmentHoldsAreRefused) {
  constexpr size_t kFrame = 4 + 1 + 8 + 4;
  constexpr size_t kCount = 300;
  for (const Storage storage : {Storage::kFloat32, Storage::kFloat16}) {
    // Of 5 dimensions codes are the values, of 65 the values lie beside them.
    for (const uint32_t dimensions : {5u, 65u}) {
      RandomRows rows({dimensions, Metric::kL2, storage}, kCount, 6);
      Chunks good;
      ASSERT_TRUE(WriteSegment(*Built(rows), {}, &good).ok());
      ASSERT_EQ(good.chunks.size(), 2u);
      Chunks bad = good;
      std::string& chunk = bad.chunks[1];
      // The first row's first value, and of values beside codes the last row's last.
      const size_t at = dimensions == 5 ? kFrame + 8 * kCount : chunk.size() - 8 - 4;
      Forge(&chunk, at, uint32_t{0});
      EXPECT_TRUE(ReadSegment(bad, nullptr).ok()) << "the chunk is sound else";
      const uint16_t half_infinity = 0x7c00;
      if (storage == Storage::kFloat32) {
        Forge(&chunk, at, std::numeric_limits<float>::infinity());
      } else {
        Forge(&chunk, at, half_infinity);
      }
      const Result<LoadedSegment> loaded = ReadSegment(bad, nullptr);
      ASSERT_FALSE(loaded.ok()) << dimensions;
      EXPECT_EQ(loaded.status().code(), StatusCode::kDataLoss);
    }
  }
}

// No check tells a graph without links from a sound one.
TEST(SegmentIoTest, AGraphWithoutLinksStillGivesKHits) {
  constexpr size_t kCount = 2000;
  RandomRows rows({5, Metric::kL2, Storage::kFloat32}, kCount, 6);
  const std::unique_ptr<Segment> segment = Built(rows);
  Chunks chunks;
  ASSERT_TRUE(WriteSegment(*segment, {}, &chunks).ok());
  ASSERT_EQ(chunks.chunks.size(), 2u);
  // After the numbers of rows, their codes and their levels.
  const size_t at = 4 + 1 + 8 + 4 + kCount * (8 + kRowUnit + 1);
  const size_t size = segment->graph().base_places().size_bytes();
  std::string& chunk = chunks.chunks[1];
  std::fill_n(chunk.begin() + static_cast<ptrdiff_t>(at), size, '\xff');
  Forge(&chunk, at, kNoSlot);
  const Result<LoadedSegment> loaded = ReadSegment(chunks, nullptr);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  std::vector<Hit> hits;
  const std::vector<uint8_t> query = rows.Query();
  ASSERT_TRUE(loaded->index->Search(query.data(), {}, nullptr, &hits).ok());
  EXPECT_EQ(Share(Truth(rows, query.data(), 10), hits), 1.0);
  std::vector<std::vector<Hit>> batch;
  const VectorData pointer = query.data();
  ASSERT_TRUE(loaded->index->SearchBatch({&pointer, 1}, {}, &batch).ok());
  EXPECT_EQ(batch[0].size(), 10u);
}

TEST(SegmentIoTest, TwinsThatAreNotEqualAreRefused) {
  RandomRows rows({5, Metric::kL2, Storage::kFloat32}, 300, 6);
  rows.Duplicate(3, 10);
  const std::unique_ptr<Segment> segment = Built(rows);
  Chunks chunks;
  ASSERT_TRUE(WriteSegment(*segment, {}, &chunks).ok());
  ASSERT_EQ(chunks.chunks.size(), 2u);
  Slot other = 1;
  while (segment->twins().IsTwin(other)) ++other;
  // The last number of the payload is that of the last twin.
  std::string& chunk = chunks.chunks[1];
  Forge(&chunk, chunk.size() - 8 - 4, other);
  const Result<LoadedSegment> loaded = ReadSegment(chunks, nullptr);
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), StatusCode::kDataLoss);
}

TEST(SegmentIoTest, AFailingSinkFailsTheWriting) {
  class Full : public ChunkSink {
    Status Put(uint32_t number, std::string_view) override {
      return number == 0 ? OkStatus() : ResourceExhausted(Reason::kDiskFull, "the disk is full");
    }
  };
  RandomRows rows({9, Metric::kL2, Storage::kFloat32}, 10, 6);
  Full sink;
  EXPECT_EQ(WriteSegment(*Built(rows), {}, &sink).code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace ragstone::index::vectors

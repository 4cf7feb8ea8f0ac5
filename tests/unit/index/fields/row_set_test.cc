#include "index/internal/fields/row_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ragstone::index::fields {
namespace {

RowSet Of(const std::vector<RowId>& rows) {
  RowSet set;
  for (const RowId row : rows) set.Add(row);
  return set;
}

constexpr RowId kHigh = RowId{1} << 32;

TEST(RowSetTest, RangesMayGoOverTheBorderOfHighBits) {
  RowSet rows;
  rows.AddRange(5, 3);
  rows.AddRange(9, 0);
  rows.AddRange(kHigh - 2, 4);
  rows.AddRange(3 * kHigh, 1);
  EXPECT_EQ(rows.ToVector(),
            (std::vector<RowId>{5, 6, 7, kHigh - 2, kHigh - 1, kHigh, kHigh + 1, 3 * kHigh}));
  rows.AddRange(4 * kHigh, kHigh);
  EXPECT_EQ(rows.Count(), 8 + kHigh);
}

TEST(RowSetTest, OperationsAreThoseOfSets) {
  const RowSet a = Of({1, 2, kHigh + 1, 5 * kHigh});
  const RowSet b = Of({2, 3, kHigh + 1, 9 * kHigh});
  RowSet both = a;
  both &= b;
  EXPECT_EQ(both.ToVector(), (std::vector<RowId>{2, kHigh + 1}));
  RowSet any = a;
  any |= b;
  EXPECT_EQ(any.ToVector(), (std::vector<RowId>{1, 2, 3, kHigh + 1, 5 * kHigh, 9 * kHigh}));
  EXPECT_EQ(any.Count(), 6u);
  RowSet rest = a;
  rest -= b;
  EXPECT_EQ(rest.ToVector(), (std::vector<RowId>{1, 5 * kHigh}));
  EXPECT_TRUE(a.Contains(5 * kHigh));
  EXPECT_FALSE(a.Contains(5));
  EXPECT_FALSE(a == b);
  rest -= a;
  EXPECT_TRUE(rest.empty());
  EXPECT_TRUE(rest == RowSet()) << "empty parts are no difference";
}

TEST(RowSetTest, PartsAreTakenOverOrUnited) {
  RowSet set;
  set.AddAll(1, Roaring::bitmapOf(2, 1, 2));
  set.AddAll(1, Roaring::bitmapOf(1, 3));
  set.AddAll(0, Roaring());
  EXPECT_EQ(set.ToVector(), (std::vector<RowId>{kHigh + 1, kHigh + 2, kHigh + 3}));
}

TEST(RowsOfTest, RowsInAnyOrderBecomeASet) {
  std::mt19937_64 random(3);
  for (const uint32_t limit : {10u, 1000u, 100'000u, UINT32_MAX}) {
    for (const size_t count : {size_t{1}, size_t{500}, size_t{5000}}) {
      std::vector<uint32_t> rows(count);
      for (uint32_t& row : rows) row = static_cast<uint32_t>(random() % limit);
      const std::set<uint32_t> expected(rows.begin(), rows.end());
      const Roaring set = RowsOf(rows);
      ASSERT_EQ(set.cardinality(), expected.size());
      for (const uint32_t row : expected) ASSERT_TRUE(set.contains(row));
    }
  }
  EXPECT_TRUE(RowsOf({}).isEmpty());
}

TEST(RowsCodingTest, BitmapsReadBackAndDamageIsRefused) {
  Roaring rows;
  for (uint32_t i = 0; i < 100'000; i += 3) rows.add(i);
  rows.addRange(1'000'000, 1'200'000);
  rows.runOptimize();
  std::string bytes;
  Encoder out(&bytes);
  EncodeRows(rows, &out);
  Decoder in(bytes);
  EXPECT_TRUE(DecodeRows(&in) == rows);
  EXPECT_TRUE(in.done());
  for (size_t size = 0; size < bytes.size(); size += 97) {
    Decoder cut(std::string_view(bytes).substr(0, size));
    DecodeRows(&cut);
    EXPECT_FALSE(cut.ok());
  }
  std::string other;
  Encoder(&other).String("these bytes are no bitmap at all");
  Decoder bad(other);
  DecodeRows(&bad);
  EXPECT_FALSE(bad.ok());
}

}  // namespace
}  // namespace ragstone::index::fields

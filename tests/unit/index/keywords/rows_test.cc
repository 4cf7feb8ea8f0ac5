#include "index/internal/keywords/rows.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ragstone::index::keywords {
namespace {

std::vector<RowRange> RangesOf(const std::set<RowId>& rows) {
  std::vector<RowRange> ranges;
  for (const RowId row : rows) AppendRow(row, &ranges);
  return ranges;
}

std::set<RowId> RowsOf(const std::vector<RowRange>& ranges) {
  std::set<RowId> rows;
  for (const RowRange& range : ranges) {
    for (uint64_t i = 0; i < range.count; ++i) rows.insert(range.first + i);
  }
  return rows;
}

TEST(RowsTest, SetOperationsAreThoseOfSets) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::set<RowId> a;
    std::set<RowId> b;
    for (RowId row = 0; row < 60; ++row) {
      if (random() % 3 > 0) a.insert(row);
      if (random() % 3 == 0) b.insert(row);
    }
    std::set<RowId> both;
    std::set<RowId> rest;
    for (const RowId row : a) (b.count(row) > 0 ? both : rest).insert(row);
    EXPECT_EQ(RowsOf(Intersect(RangesOf(a), RangesOf(b))), both);
    EXPECT_EQ(RowsOf(Subtract(RangesOf(a), RangesOf(b))), rest);
    EXPECT_EQ(CountRows(RangesOf(a)), a.size());
  }
}

RowTable Sample() {
  RowTable table;
  std::mt19937 random(2);
  RowId row = 1000;
  for (int i = 0; i < 500; ++i) {
    table.Append(row, random() % 300);
    row += random() % 4 == 0 ? 1 + random() % 100000 : 1;
  }
  return table;
}

TEST(RowTableTest, RowsAndOrdinalsAreEachOthersInverse) {
  const RowTable table = Sample();
  for (uint32_t ordinal = 0; ordinal < table.size(); ++ordinal) {
    EXPECT_EQ(table.ordinal(table.row(ordinal)), ordinal);
  }
  EXPECT_EQ(table.ordinal(999), std::nullopt);
  EXPECT_EQ(table.ordinal(table.ranges()[0].first + table.ranges()[0].count), std::nullopt);
  const std::vector<RowRange> all = table.Ordinals(table.ranges());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0], (RowRange{0, 500}));
}

TEST(RowTableTest, ComesBackFromItsBytes) {
  const RowTable table = Sample();
  const Result<RowTable> got = RowTable::Decode(table.Encode());
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->ranges(), table.ranges());
  EXPECT_EQ(got->words(), table.words());
  for (uint32_t i = 0; i < table.size(); ++i) EXPECT_EQ(got->length(i), table.length(i));
  EXPECT_EQ(RowTable::Decode(RowTable().Encode())->size(), 0u);
}

TEST(RowTableTest, DamagedBytesAreRefusedNotRead) {
  const std::string bytes = Sample().Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(RowTable::Decode(std::string_view(bytes).substr(0, size)).ok());
  }
  std::mt19937 random(3);
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 3; ++flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const Result<RowTable> got = RowTable::Decode(damaged);
    if (got.ok()) {
      EXPECT_EQ(CountRows(got->ranges()), got->size());
    }
  }
}

}  // namespace
}  // namespace ragstone::index::keywords

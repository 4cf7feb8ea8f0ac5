#include "ingest/internal/tables.h"

#include <gtest/gtest.h>

#include <numeric>

namespace ragstone::ingest::internal {
namespace {

class Sheet {
 public:
  // Adds a piece of 10 point text; a letter is 5 points wide.
  void Add(float x, float baseline, uint32_t letters, uint32_t block) {
    Segment s;
    s.x0 = x;
    s.x1 = x + 5.0f * static_cast<float>(letters);
    s.baseline = baseline;
    s.y0 = baseline - 8;
    s.y1 = baseline + 2;
    s.size = 10;
    s.block = block;
    s.chars = letters;
    segments_.push_back(s);
  }

  std::vector<Table> Find() const {
    std::vector<uint32_t> all(segments_.size());
    std::iota(all.begin(), all.end(), 0u);
    return FindTables(segments_, all);
  }

 private:
  std::vector<Segment> segments_;
};

std::vector<size_t> CellCounts(const Table& table) {
  std::vector<size_t> counts;
  for (const auto& row : table.rows) counts.push_back(row.size());
  return counts;
}

TEST(TablesTest, FindsAlignedCells) {
  Sheet sheet;
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 3; ++c) {
      sheet.Add(50.0f + 120.0f * static_cast<float>(c), 100.0f + 15.0f * static_cast<float>(r), 6,
                1 + c);
    }
  }
  const std::vector<Table> tables = sheet.Find();
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(CellCounts(tables[0]), (std::vector<size_t>{3, 3, 3, 3}));
}

TEST(TablesTest, ColumnsOfTextAreNoTable) {
  Sheet sheet;
  for (int r = 0; r < 20; ++r) {
    const float y = 100.0f + 12.0f * static_cast<float>(r);
    sheet.Add(50, y, 46, 1);
    sheet.Add(310, y, 46, 2);
  }
  EXPECT_TRUE(sheet.Find().empty());
}

TEST(TablesTest, ATableBesideAColumnOfTextIsFoundAlone) {
  Sheet sheet;
  for (int r = 0; r < 20; ++r) sheet.Add(50, 100.0f + 12.0f * static_cast<float>(r), 46, 1);
  for (int r = 0; r < 4; ++r) {
    const float y = 100.0f + 12.0f * static_cast<float>(r);
    sheet.Add(310, y, 8, 2);
    sheet.Add(400, y, 4, 3);
  }
  const std::vector<Table> tables = sheet.Find();
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(CellCounts(tables[0]), (std::vector<size_t>{2, 2, 2, 2}));
}

TEST(TablesTest, AnEmptyCellStaysBetweenFilledOnes) {
  Sheet sheet;
  for (int r = 0; r < 3; ++r) {
    const float y = 100.0f + 15.0f * static_cast<float>(r);
    sheet.Add(50, y, 6, 1);
    if (r != 1) sheet.Add(170, y, 6, 2);
    sheet.Add(290, y, 6, 3);
  }
  const std::vector<Table> tables = sheet.Find();
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_EQ(CellCounts(tables[0]), (std::vector<size_t>{3, 3, 3}));
  EXPECT_TRUE(tables[0].rows[1][1].empty());
}

TEST(TablesTest, WrappedCellsJoinTheirRow) {
  Sheet sheet;
  for (int r = 0; r < 3; ++r) {
    const float y = 100.0f + 30.0f * static_cast<float>(r);
    sheet.Add(50, y, 6, 1);
    sheet.Add(170, y, 20, 2);
    sheet.Add(170, y + 12, 10, 2);
  }
  const std::vector<Table> tables = sheet.Find();
  ASSERT_EQ(tables.size(), 1u);
  ASSERT_EQ(tables[0].rows.size(), 3u);
  EXPECT_EQ(tables[0].rows[0][1].size(), 2u);
}

TEST(TablesTest, FarApartRowsAreTwoTables) {
  Sheet sheet;
  for (const float top : {100.0f, 400.0f}) {
    for (int r = 0; r < 3; ++r) {
      sheet.Add(50, top + 15.0f * static_cast<float>(r), 6, 1);
      sheet.Add(170, top + 15.0f * static_cast<float>(r), 6, 2);
    }
  }
  EXPECT_EQ(sheet.Find().size(), 2u);
}

TEST(TablesTest, OneRowIsNoTable) {
  Sheet sheet;
  sheet.Add(50, 100, 6, 1);
  sheet.Add(400, 100, 6, 2);
  EXPECT_TRUE(sheet.Find().empty());
}

TEST(TablesTest, ManyCellsInOneRowAreLeftAlone) {
  Sheet sheet;
  for (int r = 0; r < 3; ++r) {
    for (int c = 0; c < 2000; ++c) {
      sheet.Add(20.0f * static_cast<float>(c), 100.0f + 15.0f * static_cast<float>(r), 1, 1);
    }
  }
  EXPECT_TRUE(sheet.Find().empty());
}

}  // namespace
}  // namespace ragstone::ingest::internal

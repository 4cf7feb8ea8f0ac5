#pragma once

#include <cstdint>
#include <vector>

namespace ragstone::ingest::internal {

// A piece of a line in a frame in which the text is upright.
struct Segment {
  uint32_t first = 0, last = 0;  // words [first, last)
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  float baseline = 0;
  float size = 0;  // font size
  uint32_t block = 0;
  uint32_t rotation = 0;
  uint32_t chars = 0;
};

// A table: each row is a list of cells from left to right, each cell the segments in it.
struct Table {
  using Cell = std::vector<uint32_t>;
  std::vector<std::vector<Cell>> rows;
};

// Finds tables among the segments named by `candidates`: runs of rows whose cells stand in the same
// columns. Columns of running text are not tables. A segment is in one table at most.
std::vector<Table> FindTables(const std::vector<Segment>& segments,
                              const std::vector<uint32_t>& candidates);

}  // namespace ragstone::ingest::internal

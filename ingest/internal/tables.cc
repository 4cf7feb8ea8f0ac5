#include "ingest/internal/tables.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace ragstone::ingest::internal {
namespace {

// Distances are in units of the font size, found on reports, papers and forms.
constexpr float kSameBaseline = 0.35f;
constexpr float kCellGapMin = 0.6f;        // closer pieces are one cell
constexpr float kRowDistanceMax = 2.8f;    // further apart is another table
constexpr float kContinuationMax = 1.45f;  // a wrapped cell stands this close to its row
constexpr uint32_t kProseLinesMin = 6;
constexpr float kProseCharsMin = 25;
constexpr float kProseFillMin = 0.78f;
constexpr float kWrapPitch = 0.85f;  // lines of one cell stand closer than rows
constexpr size_t kPendingMax = 3;
constexpr size_t kColumnsMax = 64;  // more are no table; bounds the work on hostile pages

struct Interval {
  float x0 = 0, x1 = 0;
};

float Overlap(const Interval& a, const Interval& b) {
  return std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
}

struct CellRun {
  Interval x;
  Table::Cell segments;
};

// The cells of one baseline between two columns of running text.
struct RowRun {
  float baseline = 0;
  float size = 0;
  std::vector<CellRun> cells;
  Interval x() const { return {cells.front().x.x0, cells.back().x.x1}; }
};

struct BlockFacts {
  Interval x{1e9f, -1e9f};
  uint32_t lines = 0;
  uint32_t chars = 0;
  float line_widths = 0;
  float CharsPerLine() const { return static_cast<float>(chars) / static_cast<float>(lines); }
  float Width() const { return x.x1 - x.x0; }
  // Share of the block's area that its lines fill: near 1 for paragraphs, less for cells.
  float Fill() const { return line_widths / (static_cast<float>(lines) * std::max(Width(), 1.0f)); }
};

// Tells the blocks of running text, which never take part in a table.
class ProseBlocks {
 public:
  ProseBlocks(const std::vector<Segment>& segments, const std::vector<uint32_t>& candidates) {
    for (const uint32_t i : candidates) {
      BlockFacts& facts = blocks_[segments[i].block];
      facts.x = {std::min(facts.x.x0, segments[i].x0), std::max(facts.x.x1, segments[i].x1)};
      ++facts.lines;
      facts.chars += segments[i].chars;
      facts.line_widths += segments[i].x1 - segments[i].x0;
    }
    for (const auto& [block, facts] : blocks_) {
      if (IsLongProse(facts) && columns_.size() < 64) columns_.push_back(facts);
    }
  }

  bool Contains(uint32_t block) const {
    const auto found = blocks_.find(block);
    if (found == blocks_.end()) return false;
    const BlockFacts& facts = found->second;
    if (IsLongProse(facts)) return true;
    if (facts.lines < 2 || facts.CharsPerLine() < 20) return false;
    // A short paragraph in a column that also holds long ones.
    return std::any_of(columns_.begin(), columns_.end(), [&](const BlockFacts& column) {
      return std::fabs(column.x.x0 - facts.x.x0) < 4 && facts.Width() > 0.7f * column.Width();
    });
  }

 private:
  static bool IsLongProse(const BlockFacts& facts) {
    return facts.lines >= kProseLinesMin && facts.CharsPerLine() >= kProseCharsMin &&
           facts.Fill() >= kProseFillMin;
  }

  std::unordered_map<uint32_t, BlockFacts> blocks_;
  std::vector<BlockFacts> columns_;
};

// Appends the runs of one visual row (segments sorted by x).
void AppendRuns(const std::vector<Segment>& segments, const std::vector<uint32_t>& row,
                const ProseBlocks& prose, std::vector<RowRun>* runs) {
  RowRun run;
  const auto flush = [&] {
    if (!run.cells.empty()) runs->push_back(std::move(run));
    run = RowRun();
  };
  for (const uint32_t i : row) {
    const Segment& segment = segments[i];
    if (prose.Contains(segment.block)) {
      flush();
      continue;
    }
    run.baseline = std::max(run.baseline, segment.baseline);
    run.size = std::max(run.size, segment.size);
    if (!run.cells.empty() && segment.x0 - run.cells.back().x.x1 < kCellGapMin * segment.size) {
      CellRun& cell = run.cells.back();
      cell.segments.push_back(i);
      cell.x.x1 = std::max(cell.x.x1, segment.x1);
    } else {
      run.cells.push_back({{segment.x0, segment.x1}, {i}});
    }
  }
  flush();
}

std::vector<RowRun> FindRuns(const std::vector<Segment>& segments,
                             const std::vector<uint32_t>& candidates) {
  const ProseBlocks prose(segments, candidates);
  std::vector<uint32_t> order = candidates;
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return segments[a].baseline < segments[b].baseline;
  });
  std::vector<RowRun> runs;
  for (size_t i = 0; i < order.size();) {
    const Segment& first = segments[order[i]];
    std::vector<uint32_t> row;
    size_t j = i;
    while (j < order.size()) {
      const Segment& next = segments[order[j]];
      if (next.baseline - first.baseline > kSameBaseline * std::min(first.size, next.size)) break;
      row.push_back(order[j++]);
    }
    std::sort(row.begin(), row.end(), [&](uint32_t a, uint32_t b) {
      return segments[a].x0 != segments[b].x0 ? segments[a].x0 < segments[b].x0 : a < b;
    });
    AppendRuns(segments, row, prose, &runs);
    i = j;
  }
  return runs;
}

// A table that grows row by row.
class OpenTable {
 public:
  explicit OpenTable(const RowRun& run) { Start(run); }

  bool Near(const RowRun& run) const {
    return run.baseline - last_baseline_ <= kRowDistanceMax * std::max(run.size, size_) &&
           Overlap({left_ - 1, right_ + 1}, run.x()) > 0;
  }

  // Adds a row of several cells; false if its cells do not stand in the table's columns.
  bool Add(const RowRun& run) {
    std::vector<int> columns;
    if (!Match(run, &columns)) return false;
    for (RowRun& pending : pending_) Append(pending, {0});
    pending_.clear();
    Append(run, columns);
    return true;
  }

  // Takes a row of one cell: it belongs to the table if rows of several cells follow.
  bool AddSingle(const RowRun& run) {
    if (IsContinuation(run)) {
      Append(run, {0});
      return true;
    }
    if (pending_.size() >= kPendingMax) return false;
    pending_.push_back(run);
    last_baseline_ = run.baseline;
    return true;
  }

  bool IsTable(const std::vector<Segment>& segments) const {
    uint32_t multi = 0;
    std::vector<float> chars(columns_.size(), 0), cells(columns_.size(), 0);
    for (size_t r = 0; r < rows_.size(); ++r) {
      multi += rows_[r].cells.size() >= 2;
      for (size_t c = 0; c < rows_[r].cells.size(); ++c) {
        for (const uint32_t i : rows_[r].cells[c].segments) {
          chars[cell_columns_[r][c]] += static_cast<float>(segments[i].chars);
        }
        ++cells[cell_columns_[r][c]];
      }
    }
    uint32_t prose = 0, filled = 0;
    for (size_t c = 0; c < columns_.size(); ++c) {
      filled += cells[c] >= 2;
      prose += cells[c] > 0 && chars[c] / cells[c] >= kProseCharsMin + 5;
    }
    return multi >= 2 && filled >= 2 && prose < 2;
  }

  Table Build() const {
    Table table;
    float baseline = -1e9f;
    const float pitch = RowPitch();
    for (size_t r = 0; r < rows_.size(); ++r) {
      const RowRun& run = rows_[r];
      const float distance = run.baseline - baseline;
      const bool merges = r > 0 && distance <= kContinuationMax * run.size &&
                          distance <= kWrapPitch * pitch && Continues(r, table.rows.back());
      baseline = run.baseline;
      if (!merges) table.rows.emplace_back(columns_.size());
      for (size_t c = 0; c < run.cells.size(); ++c) {
        Table::Cell& cell = table.rows.back()[cell_columns_[r][c]];
        cell.insert(cell.end(), run.cells[c].segments.begin(), run.cells[c].segments.end());
      }
    }
    SortColumns(&table);
    return table;
  }

 private:
  void Start(const RowRun& run) {
    std::vector<int> columns;
    for (size_t c = 0; c < run.cells.size(); ++c) columns.push_back(static_cast<int>(c));
    for (const CellRun& cell : run.cells) columns_.push_back(cell.x);
    Append(run, columns);
  }

  // Finds a column for each cell; -1 asks for a new one. False if two cells want the same.
  bool Match(const RowRun& run, std::vector<int>* columns) const {
    std::vector<bool> used(columns_.size(), false);
    for (const CellRun& cell : run.cells) {
      int best = -1;
      float best_overlap = 1;
      for (size_t c = 0; c < columns_.size(); ++c) {
        const float overlap = Overlap(cell.x, columns_[c]);
        if (overlap > best_overlap && !used[c]) {
          best_overlap = overlap;
          best = static_cast<int>(c);
        }
      }
      const bool crowded =
          best < 0 && std::any_of(columns_.begin(), columns_.end(), [&](const Interval& column) {
            return Overlap(cell.x, column) > 1;
          });
      if (crowded) return false;
      if (best >= 0) used[best] = true;
      columns->push_back(best);
    }
    const auto added = std::count(columns->begin(), columns->end(), -1);
    return columns_.size() + static_cast<size_t>(added) <= kColumnsMax;
  }

  bool Spans(const CellRun& cell) const {
    int covered = 0;
    for (const Interval& column : columns_) covered += Overlap(cell.x, column) > 1;
    return covered > 1;
  }

  bool IsContinuation(const RowRun& run) const {
    if (!pending_.empty() || rows_.empty() || Spans(run.cells[0])) return false;
    if (run.baseline - last_baseline_ > kContinuationMax * run.size) return false;
    float first_column_right = 1e9f;
    float left = 1e9f;
    for (const Interval& column : columns_) {
      if (column.x0 < left) {
        left = column.x0;
        first_column_right = column.x1;
      }
    }
    return run.cells[0].x.x0 > first_column_right;
  }

  void Append(const RowRun& run, std::vector<int> columns) {
    for (size_t c = 0; c < run.cells.size(); ++c) {
      const CellRun& cell = run.cells[c];
      int column = columns[c];
      if (run.cells.size() == 1) column = NearestColumn(cell);
      if (column < 0) {
        columns_.push_back(cell.x);
        column = static_cast<int>(columns_.size() - 1);
      } else if (!Spans(cell)) {
        Interval& interval = columns_[column];
        interval = {std::min(interval.x0, cell.x.x0), std::max(interval.x1, cell.x.x1)};
      }
      columns[c] = column;
    }
    left_ = std::min(left_, run.x().x0);
    right_ = std::max(right_, run.x().x1);
    last_baseline_ = run.baseline;
    size_ = run.size;
    rows_.push_back(run);
    cell_columns_.push_back(std::move(columns));
  }

  int NearestColumn(const CellRun& cell) const {
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (Overlap(cell.x, columns_[c]) > 0) return static_cast<int>(c);
    }
    return -1;
  }

  // Whether row `r` holds the wrapped rest of `above`: fewer cells, none in the first column, and
  // each under a filled cell.
  bool Continues(size_t r, const std::vector<Table::Cell>& above) const {
    const auto filled = static_cast<size_t>(
        std::count_if(above.begin(), above.end(), [](const auto& cell) { return !cell.empty(); }));
    if (rows_[r].cells.size() >= filled) return false;
    const size_t leftmost = LeftmostColumn();
    return std::all_of(cell_columns_[r].begin(), cell_columns_[r].end(), [&](int column) {
      return static_cast<size_t>(column) != leftmost && !above[column].empty();
    });
  }

  size_t LeftmostColumn() const {
    size_t leftmost = 0;
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].x0 < columns_[leftmost].x0) leftmost = c;
    }
    return leftmost;
  }

  // The usual distance of neighbouring rows that both begin in the first column.
  float RowPitch() const {
    const auto leftmost = static_cast<int>(LeftmostColumn());
    std::vector<float> distances;
    for (size_t r = 1; r < rows_.size(); ++r) {
      if (cell_columns_[r].front() == leftmost && cell_columns_[r - 1].front() == leftmost) {
        distances.push_back(rows_[r].baseline - rows_[r - 1].baseline);
      }
    }
    if (distances.empty()) return 1e9f;
    std::sort(distances.begin(), distances.end());
    return distances[distances.size() / 2];
  }

  void SortColumns(Table* table) const {
    std::vector<size_t> order(columns_.size());
    for (size_t c = 0; c < order.size(); ++c) order[c] = c;
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return columns_[a].x0 < columns_[b].x0; });
    for (auto& row : table->rows) {
      std::vector<Table::Cell> sorted;
      // One empty cell stays between two filled ones, so that a label without a value is seen.
      for (const size_t c : order) {
        const bool keeps = !row[c].empty() || (!sorted.empty() && !sorted.back().empty());
        if (keeps) sorted.push_back(std::move(row[c]));
      }
      while (sorted.back().empty()) sorted.pop_back();
      row = std::move(sorted);
    }
  }

  std::vector<Interval> columns_;
  std::vector<RowRun> rows_;
  std::vector<std::vector<int>> cell_columns_;  // per row and cell
  std::vector<RowRun> pending_;
  float left_ = 1e9f, right_ = -1e9f;
  float last_baseline_ = 0;
  float size_ = 0;
};

}  // namespace

std::vector<Table> FindTables(const std::vector<Segment>& segments,
                              const std::vector<uint32_t>& candidates) {
  std::vector<Table> tables;
  std::vector<OpenTable> open;
  const auto close = [&](size_t i) {
    if (open[i].IsTable(segments)) tables.push_back(open[i].Build());
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
  };
  for (const RowRun& run : FindRuns(segments, candidates)) {
    if (run.cells.size() > kColumnsMax) continue;
    bool taken = false;
    for (size_t i = 0; i < open.size() && !taken;) {
      if (!open[i].Near(run)) {
        ++i;
        continue;
      }
      taken = run.cells.size() >= 2 ? open[i].Add(run) : open[i].AddSingle(run);
      if (!taken) {
        close(i);
      }
    }
    if (!taken && run.cells.size() >= 2) {
      // Tables that are far above can take no more rows; this also bounds the list.
      while (open.size() >= 8) close(0);
      open.emplace_back(run);
    }
  }
  while (!open.empty()) close(0);
  return tables;
}

}  // namespace ragstone::ingest::internal

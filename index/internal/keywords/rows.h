#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::index::keywords {

using RowId = uint64_t;

// Rows [first, first + count).
struct RowRange {
  RowId first = 0;
  uint64_t count = 0;
  friend bool operator==(const RowRange&, const RowRange&) = default;
};

// Appends a row at the end of ascending ranges.
void AppendRow(RowId row, std::vector<RowRange>* ranges);
uint64_t CountRows(std::span<const RowRange> ranges);
// What lies in both; all three in order.
std::vector<RowRange> Intersect(std::span<const RowRange> a, std::span<const RowRange> b);
// What lies in `all` and not in `taken`.
std::vector<RowRange> Subtract(std::span<const RowRange> all, std::span<const RowRange> taken);

// What a search may see of the rows: told by their owner.
class RowView {
 public:
  virtual ~RowView() = default;
  // Of these rows, in order, those that must not be seen, in order.
  virtual std::vector<RowRange> Hidden(std::span<const RowRange> rows) const = 0;
  // A number of the state of the rows that grows with every change. A row that was seen by some
  // view at p is hidden or seen alike by all views from p on that have the same epoch, which is 0
  // if that is not known.
  virtual uint64_t position() const = 0;
  virtual uint64_t epoch() const = 0;
};

// The rows of one segment in ascending order, and their lengths in words. A row's place in that
// order is its ordinal. Unchangeable once made.
class RowTable {
 public:
  RowTable() = default;
  // Rows must come in ascending order.
  void Append(RowId row, uint32_t length);

  uint32_t size() const { return static_cast<uint32_t>(lengths_.size()); }
  uint64_t words() const { return words_; }
  double length_mean() const;
  const std::vector<RowRange>& ranges() const { return ranges_; }
  RowId row(uint32_t ordinal) const;
  std::optional<uint32_t> ordinal(RowId row) const;
  uint32_t length(uint32_t ordinal) const { return lengths_[ordinal]; }
  const uint32_t* lengths() const { return lengths_.data(); }
  // The ordinals of those of these rows that are here, as ranges.
  std::vector<RowRange> Ordinals(std::span<const RowRange> rows) const;
  size_t bytes() const;

  std::string Encode() const;
  static Result<RowTable> Decode(std::string_view bytes);

 private:
  size_t RangeOf(uint32_t ordinal) const;

  std::vector<RowRange> ranges_;
  std::vector<uint32_t> starts_;  // the ordinal of each range's first row
  std::vector<uint32_t> lengths_;
  uint64_t words_ = 0;
};

}  // namespace ragstone::index::keywords

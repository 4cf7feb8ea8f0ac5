#include "index/internal/keywords/rows.h"

#include <algorithm>

#include "index/internal/coding.h"
#include "index/internal/keys.h"

namespace ragstone::index::keywords {
namespace {

constexpr uint8_t kFormat = 1;

}  // namespace

void AppendRow(RowId row, std::vector<RowRange>* ranges) {
  if (!ranges->empty() && ranges->back().first + ranges->back().count == row) {
    ++ranges->back().count;
  } else {
    ranges->push_back({row, 1});
  }
}

uint64_t CountRows(std::span<const RowRange> ranges) {
  uint64_t count = 0;
  for (const RowRange& range : ranges) count += range.count;
  return count;
}

std::vector<RowRange> Intersect(std::span<const RowRange> a, std::span<const RowRange> b) {
  std::vector<RowRange> both;
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const RowId first = std::max(a[i].first, b[j].first);
    const RowId a_end = a[i].first + a[i].count;
    const RowId b_end = b[j].first + b[j].count;
    if (first < std::min(a_end, b_end)) both.push_back({first, std::min(a_end, b_end) - first});
    a_end < b_end ? ++i : ++j;
  }
  return both;
}

std::vector<RowRange> Subtract(std::span<const RowRange> all, std::span<const RowRange> taken) {
  std::vector<RowRange> rest;
  size_t j = 0;
  for (const RowRange& range : all) {
    RowId first = range.first;
    const RowId end = range.first + range.count;
    while (j < taken.size() && taken[j].first + taken[j].count <= first) ++j;
    for (size_t k = j; k < taken.size() && taken[k].first < end; ++k) {
      if (taken[k].first > first) rest.push_back({first, taken[k].first - first});
      first = std::max(first, taken[k].first + taken[k].count);
    }
    if (first < end) rest.push_back({first, end - first});
  }
  return rest;
}

void RowTable::Append(RowId row, uint32_t length) {
  const size_t before = ranges_.size();
  AppendRow(row, &ranges_);
  if (ranges_.size() > before) starts_.push_back(size());
  lengths_.push_back(length);
  words_ += length;
}

double RowTable::length_mean() const {
  if (lengths_.empty()) return 1;
  return std::max(1.0, static_cast<double>(words_) / static_cast<double>(lengths_.size()));
}

size_t RowTable::RangeOf(uint32_t ordinal) const {
  return static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), ordinal) -
                             starts_.begin()) -
         1;
}

RowId RowTable::row(uint32_t ordinal) const {
  const size_t range = RangeOf(ordinal);
  return ranges_[range].first + (ordinal - starts_[range]);
}

std::optional<uint32_t> RowTable::ordinal(RowId row) const {
  auto it =
      std::upper_bound(ranges_.begin(), ranges_.end(), row,
                       [](RowId value, const RowRange& range) { return value < range.first; });
  if (it == ranges_.begin()) return std::nullopt;
  --it;
  if (row - it->first >= it->count) return std::nullopt;
  return starts_[static_cast<size_t>(it - ranges_.begin())] +
         static_cast<uint32_t>(row - it->first);
}

std::vector<RowRange> RowTable::Ordinals(std::span<const RowRange> rows) const {
  std::vector<RowRange> ordinals;
  for (const RowRange& range : Intersect(ranges_, rows)) {
    const uint64_t first = *ordinal(range.first);
    if (!ordinals.empty() && ordinals.back().first + ordinals.back().count == first) {
      ordinals.back().count += range.count;
    } else {
      ordinals.push_back({first, range.count});
    }
  }
  return ordinals;
}

size_t RowTable::bytes() const {
  return ranges_.capacity() * sizeof(RowRange) +
         (starts_.capacity() + lengths_.capacity()) * sizeof(uint32_t);
}

std::string RowTable::Encode() const {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.Varint(ranges_.size());
  RowId next = 0;
  for (const RowRange& range : ranges_) {
    out.Varint(range.first - next);
    out.Varint(range.count);
    next = range.first + range.count;
  }
  for (const uint32_t length : lengths_) out.Varint(length);
  return bytes;
}

Result<RowTable> RowTable::Decode(std::string_view bytes) {
  Decoder in(bytes);
  RowTable table;
  bool good = in.U8() == kFormat;
  const size_t ranges = in.Count(2);
  uint64_t rows = 0;
  RowId next = 0;
  for (size_t i = 0; i < ranges && good; ++i) {
    RowRange range{in.Varint(), in.Varint()};
    // Every row has a length of at least one byte, so a damaged count cannot ask for much memory.
    good = in.ok() && range.count > 0 && range.count <= in.remaining() &&
           range.first <= UINT64_MAX - next && range.first + next <= UINT64_MAX - range.count;
    range.first += next;
    if (!good) break;
    next = range.first + range.count;
    table.starts_.push_back(static_cast<uint32_t>(rows));
    table.ranges_.push_back(range);
    rows += range.count;
    good = rows <= in.remaining() && rows <= UINT32_MAX;
  }
  if (!good || !in.ok()) return Corrupt("table of rows with keywords");
  table.lengths_.reserve(rows);
  for (uint64_t i = 0; i < rows; ++i) {
    table.lengths_.push_back(in.Varint32());
    table.words_ += table.lengths_.back();
  }
  if (!in.done()) return Corrupt("table of rows with keywords");
  return table;
}

}  // namespace ragstone::index::keywords

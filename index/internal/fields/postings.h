#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/internal/coding.h"
#include "index/internal/fields/row_set.h"

namespace ragstone::index::fields {

// One list of rows for each value of a field, values being numbered in their order, and the union
// of any consecutive lists in about the time of one bitmap operation, however many rows it has.
//
// The lists lie one after the other. At cuts between them, every 1/32 of all entries, stands a
// bitmap of everything below the cut: a union is the difference of two of them, mended by the few
// entries between its ends and the nearest cuts (range-encoded bins; Chan and Ioannidis, "Bitmap
// index design and evaluation", 1998). With few values there is a cut at every value and no list.
// Where a row stands in several lists (fields that are lists), a difference would lose it; there
// each bitmap holds the entries between two cuts only, and a union is one of up to 32 of them.
// Immutable and thread-safe.
class Postings {
 public:
  Postings() = default;
  // The list of value i is rows[starts[i], starts[i + 1]), ascending, distinct.
  Postings(std::vector<uint32_t> starts, std::vector<uint32_t> rows);

  uint32_t values() const { return static_cast<uint32_t>(starts_.size()) - 1; }
  // Rows that have any value.
  const Roaring& all() const { return all_; }
  // Entries of the values [first, last): their rows, if no row has two values.
  uint64_t Entries(uint32_t first, uint32_t last) const { return starts_[last] - starts_[first]; }
  // No row has two values.
  bool single() const { return single_; }

  // The rows of the values [first, last).
  Roaring Union(uint32_t first, uint32_t last) const;
  // The rows of some values, ascending.
  Roaring UnionOf(std::span<const uint32_t> values) const;
  // Appends all entries, by value, rows of a value ascending.
  std::vector<uint32_t> AllRows() const;
  const std::vector<uint32_t>& starts() const { return starts_; }

  size_t MemoryBytes() const;
  void Encode(Encoder* out) const;
  static Postings Decode(Decoder* in);  // fails the decoder for lists that are none

 private:
  uint32_t entries() const { return starts_.back(); }
  void ChooseCuts();
  void BuildBitmaps(std::span<const uint32_t> rows);
  size_t NearestCut(uint32_t position) const;
  Roaring Difference(uint32_t begin, uint32_t end) const;
  Roaring Bins(uint32_t begin, uint32_t end) const;
  std::span<const uint32_t> Slice(uint32_t begin, uint32_t end) const;
  bool Consistent() const;

  std::vector<uint32_t> starts_ = {0};
  std::vector<uint32_t> rows_;  // empty if every value begins at a cut
  std::vector<uint32_t> cuts_;  // positions, ascending, the first 0 and the last entries(); or none
  // single_: bitmaps_[i] holds the entries before cuts_[i]; else those in [cuts_[i], cuts_[i + 1]).
  std::vector<Roaring> bitmaps_;
  Roaring all_;
  bool single_ = true;
};

// Bulk forms of arrays, little-endian as they lie in memory.
void EncodeArray(std::span<const uint32_t> values, Encoder* out);
std::vector<uint32_t> DecodeArray32(Decoder* in);
void EncodeArray(std::span<const int64_t> values, Encoder* out);
std::vector<int64_t> DecodeArray64(Decoder* in);

}  // namespace ragstone::index::fields

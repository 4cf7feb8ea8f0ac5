#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <roaring/roaring.hh>
#include <span>
#include <string>
#include <vector>

#include "index/internal/coding.h"

// The classes are global in libroaring 0.2 and in this namespace later.
namespace roaring {}

namespace ragstone::index::fields {

using namespace roaring;  // NOLINT: so that both are found

// The number of a record version within a collection. Ids that are given one after the other make
// small bitmaps; any others work.
using RowId = uint64_t;

inline uint32_t HighOf(RowId row) { return static_cast<uint32_t>(row >> 32); }
inline uint32_t LowOf(RowId row) { return static_cast<uint32_t>(row); }

// A set of rows: roaring bitmaps (Chambi, Lemire, Kaser and Godin, 2016) of the low 32 bits by the
// high 32. Unlike Roaring64Map of libroaring 0.2 it can be moved and takes bitmaps over without a
// copy. Not thread-safe; const methods are.
class RowSet {
 public:
  void Add(RowId row) { parts_[HighOf(row)].add(LowOf(row)); }
  // Adds the rows [first, first + count).
  void AddRange(RowId first, uint64_t count);
  // Unites with rows that share their high 32 bits.
  void AddAll(uint32_t high, Roaring rows);
  bool Contains(RowId row) const;
  uint64_t Count() const;
  bool empty() const;

  RowSet& operator|=(const RowSet& other);
  RowSet& operator&=(const RowSet& other);
  RowSet& operator-=(const RowSet& other);
  bool operator==(const RowSet& other) const;

  // All rows, ascending.
  std::vector<RowId> ToVector() const;
  // By the high 32 bits; parts may be empty.
  const std::map<uint32_t, Roaring>& parts() const { return parts_; }

 private:
  std::map<uint32_t, Roaring> parts_;
};

// Makes a bitmap of rows in any order.
Roaring RowsOf(std::span<const uint32_t> rows);

// Bytes of memory that a bitmap takes, about.
size_t MemoryBytes(const Roaring& rows);

// Writes a bitmap in the portable form of the roaring format specification, with its size before
// it.
void EncodeRows(const Roaring& rows, Encoder* out);
// Fails the decoder for bytes that are no bitmap.
Roaring DecodeRows(Decoder* in);

}  // namespace ragstone::index::fields

// How kernels go over rows, as templates over the operation; included by each kernels_*.cc, in an
// unnamed namespace, so that the linker never joins code of different instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "index/internal/vectors/kernels.h"

namespace ragstone::index::vectors {
namespace {

inline constexpr size_t kBlock = 4;  // rows at a time: each part of the query is loaded once

inline const uint8_t* RowAt(const Rows& rows, size_t i) {
  return rows.base + rows.ids[i] * rows.stride;
}

// Asks for a row before it is needed. Beyond a few lines the processor follows the row itself.
inline void PrefetchRow(const uint8_t* row, size_t units) {
  const size_t lines = units < 8 ? units : 8;
  for (size_t line = 0; line < lines; ++line) __builtin_prefetch(row + line * kRowUnit);
}

// Operation::Run<n>(query, row pointers, units, out) computes n rows.
template <typename Operation, typename Query, typename Out>
void ForRows(const Query* query, const Rows& rows, size_t units, Out* out) {
  size_t i = 0;
  for (; i + kBlock <= rows.count; i += kBlock) {
    const uint8_t* block[kBlock];
    for (size_t j = 0; j < kBlock; ++j) block[j] = RowAt(rows, i + j);
    const size_t ahead = i + 2 * kBlock <= rows.count ? kBlock : rows.count - i - kBlock;
    for (size_t j = 0; j < ahead; ++j) PrefetchRow(RowAt(rows, i + kBlock + j), units);
    Operation::template Run<kBlock>(query, block, units, out + i);
  }
  for (; i < rows.count; ++i) {
    const uint8_t* row = RowAt(rows, i);
    Operation::template Run<1>(query, &row, units, out + i);
  }
}

struct Hamming {
  template <size_t kRows>
  static void Run(const uint64_t* query, const uint8_t* const* rows, size_t units, int32_t* out) {
    int64_t sums[kRows] = {};
    for (size_t word = 0; word < units * (kRowUnit / 8); ++word) {
      for (size_t row = 0; row < kRows; ++row) {
        uint64_t bits;
        __builtin_memcpy(&bits, rows[row] + word * 8, 8);
        sums[row] += __builtin_popcountll(bits ^ query[word]);
      }
    }
    for (size_t row = 0; row < kRows; ++row) out[row] = static_cast<int32_t>(sums[row]);
  }
};

}  // namespace
}  // namespace ragstone::index::vectors

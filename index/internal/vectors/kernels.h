// Distances between one query and rows of codes, for each instruction set. Included by files that
// are compiled for instructions the machine may lack, so it includes nothing with code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ragstone::index::vectors {

// Rows and queries are padded with zeros to whole units of this many bytes, and begin at a multiple
// of it, so that kernels have no tails.
inline constexpr size_t kRowUnit = 64;

// Some rows of an array of rows.
struct Rows {
  const uint8_t* base = nullptr;
  size_t stride = 0;              // bytes from row to row, a multiple of kRowUnit
  const uint32_t* ids = nullptr;  // which rows
  size_t count = 0;
};

// Kernels for one instruction set. `units` is the length of a row in units of kRowUnit bytes; the
// query has as many values as a row. Results differ between sets by rounding only; those in
// integers do not.
struct Kernels {
  const char* tier = nullptr;
  // Rows of float32 and float16 (IEEE binary16): the inner product, the squared distance.
  void (*dot_f32)(const float* query, const Rows& rows, size_t units, float* out) = nullptr;
  void (*l2_f32)(const float* query, const Rows& rows, size_t units, float* out) = nullptr;
  void (*dot_f16)(const float* query, const Rows& rows, size_t units, float* out) = nullptr;
  void (*l2_f16)(const float* query, const Rows& rows, size_t units, float* out) = nullptr;
  // Rows of unsigned bytes with a query of signed bytes: the sum of the products.
  void (*dot_u8)(const int8_t* query, const Rows& rows, size_t units, int32_t* out) = nullptr;
  // Rows of bits: in how many they differ from the query.
  void (*hamming)(const uint64_t* query, const Rows& rows, size_t units, int32_t* out) = nullptr;
};

// Each is to be used only where the processor has its instructions (kernel_tiers.h).
const Kernels& PortableKernels();
#if defined(__x86_64__)
const Kernels& Avx2Kernels();
const Kernels& Avx512Kernels();
const Kernels& Avx512VnniKernels();
#endif

}  // namespace ragstone::index::vectors

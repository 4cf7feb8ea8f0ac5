// The kernels for AVX2 and AVX-512; which of them follows from what the including file is compiled
// for. Everything is in an unnamed namespace (see kernels_blocks.h).
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "index/internal/vectors/kernels_blocks.h"

namespace ragstone::index::vectors {
namespace {

#if defined(__AVX512F__)

using Floats = __m512;
using Ints = __m512i;
inline constexpr size_t kLanes = 16;

inline Floats ZeroFloats() { return _mm512_setzero_ps(); }
inline Floats Load(const float* from) { return _mm512_loadu_ps(from); }
inline Floats LoadHalves(const uint8_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
inline Floats MultiplyAdd(Floats a, Floats b, Floats sum) { return _mm512_fmadd_ps(a, b, sum); }
inline Floats Subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
inline __m128 Fold(Floats v) {
  const __m256 half = _mm256_add_ps(
      _mm512_castps512_ps256(v), _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1)));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
inline Ints ZeroInts() { return _mm512_setzero_si512(); }
inline __m128i Fold(Ints v) {
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

#if defined(__AVX512VNNI__)
// How the query's bytes are held, and how many of them.
using Bytes = __m512i;
inline constexpr size_t kBytes = 64;
inline Bytes LoadQuery(const int8_t* from) { return _mm512_loadu_si512(from); }
inline Ints DotBytes(const uint8_t* row, Bytes query, Ints sum) {
  return _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(row), query);
}
#else
using Bytes = __m512i;  // widened: products of bytes do not fit 16 bits in pairs
inline constexpr size_t kBytes = 32;
inline Bytes LoadQuery(const int8_t* from) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
inline Ints DotBytes(const uint8_t* row, Bytes query, Ints sum) {
  const __m512i wide =
      _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row)));
  return _mm512_add_epi32(sum, _mm512_madd_epi16(wide, query));
}
#endif

#else

using Floats = __m256;
using Ints = __m256i;
inline constexpr size_t kLanes = 8;

inline Floats ZeroFloats() { return _mm256_setzero_ps(); }
inline Floats Load(const float* from) { return _mm256_loadu_ps(from); }
inline Floats LoadHalves(const uint8_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline Floats MultiplyAdd(Floats a, Floats b, Floats sum) { return _mm256_fmadd_ps(a, b, sum); }
inline Floats Subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
inline __m128 Fold(Floats v) {
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}
inline Ints ZeroInts() { return _mm256_setzero_si256(); }
inline __m128i Fold(Ints v) {
  return _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

using Bytes = __m256i;  // widened: products of bytes do not fit 16 bits in pairs
inline constexpr size_t kBytes = 16;
inline Bytes LoadQuery(const int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline Ints DotBytes(const uint8_t* row, Bytes query, Ints sum) {
  const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row)));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(wide, query));
}

#endif

// Adds the lanes of each sum; four sums at once share the shuffles.
template <size_t kRows>
inline void StoreSums(const Floats* sums, float* out) {
  if constexpr (kRows == 4) {
    const __m128 low = _mm_hadd_ps(Fold(sums[0]), Fold(sums[1]));
    const __m128 high = _mm_hadd_ps(Fold(sums[2]), Fold(sums[3]));
    _mm_storeu_ps(out, _mm_hadd_ps(low, high));
  } else {
    const __m128 pairs = _mm_hadd_ps(Fold(sums[0]), Fold(sums[0]));
    out[0] = _mm_cvtss_f32(_mm_hadd_ps(pairs, pairs));
  }
}
template <size_t kRows>
inline void StoreSums(const Ints* sums, int32_t* out) {
  if constexpr (kRows == 4) {
    const __m128i low = _mm_hadd_epi32(Fold(sums[0]), Fold(sums[1]));
    const __m128i high = _mm_hadd_epi32(Fold(sums[2]), Fold(sums[3]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_hadd_epi32(low, high));
  } else {
    const __m128i pairs = _mm_hadd_epi32(Fold(sums[0]), Fold(sums[0]));
    out[0] = _mm_cvtsi128_si32(_mm_hadd_epi32(pairs, pairs));
  }
}

template <bool kHalves, bool kSquared>
struct FloatRows {
  template <size_t kRows>
  static void Run(const float* query, const uint8_t* const* rows, size_t units, float* out) {
    constexpr size_t kBytesOfValue = kHalves ? 2 : 4;
    const size_t size = units * kRowUnit / kBytesOfValue;
    Floats sums[kRows];
    for (size_t row = 0; row < kRows; ++row) sums[row] = ZeroFloats();
    for (size_t i = 0; i < size; i += kLanes) {
      const Floats part = Load(query + i);
      for (size_t row = 0; row < kRows; ++row) {
        const uint8_t* at = rows[row] + i * kBytesOfValue;
        Floats value;
        if constexpr (kHalves) {
          value = LoadHalves(at);
        } else {
          value = Load(reinterpret_cast<const float*>(at));
        }
        if constexpr (kSquared) {
          const Floats difference = Subtract(value, part);
          sums[row] = MultiplyAdd(difference, difference, sums[row]);
        } else {
          sums[row] = MultiplyAdd(value, part, sums[row]);
        }
      }
    }
    StoreSums<kRows>(sums, out);
  }
};

struct ByteRows {
  template <size_t kRows>
  static void Run(const int8_t* query, const uint8_t* const* rows, size_t units, int32_t* out) {
    const size_t size = units * kRowUnit;
    Ints sums[kRows];
    for (size_t row = 0; row < kRows; ++row) sums[row] = ZeroInts();
    for (size_t i = 0; i < size; i += kBytes) {
      const Bytes part = LoadQuery(query + i);
      for (size_t row = 0; row < kRows; ++row) sums[row] = DotBytes(rows[row] + i, part, sums[row]);
    }
    StoreSums<kRows>(sums, out);
  }
};

constexpr Kernels TableOf(const char* tier) {
  return {tier,
          ForRows<FloatRows<false, false>, float, float>,
          ForRows<FloatRows<false, true>, float, float>,
          ForRows<FloatRows<true, false>, float, float>,
          ForRows<FloatRows<true, true>, float, float>,
          ForRows<ByteRows, int8_t, int32_t>,
          ForRows<Hamming, uint64_t, int32_t>};
}

}  // namespace
}  // namespace ragstone::index::vectors

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "index/limits.h"

namespace ragstone::index::vectors {

// A row's number for the caller; never given twice.
using RowId = uint64_t;
// A row's place in one segment.
using Slot = uint32_t;
inline constexpr Slot kNoSlot = 0xffffffff;

using index::kDimensionsMax;
inline constexpr size_t kSegmentRowsMax = 1u << 30;

// Values are stored; new ones are added at the end.
enum class Metric : uint8_t { kInnerProduct = 0, kCosine = 1, kL2 = 2, kHamming = 3 };
enum class Storage : uint8_t { kFloat32 = 0, kFloat16 = 1, kInt8 = 2, kBinary = 3 };

// What the vectors of a segment are. kHamming is for bit vectors, which are stored as kBinary.
struct VectorSpec {
  uint32_t dimensions = 0;
  Metric metric = Metric::kCosine;
  Storage storage = Storage::kFloat32;
  bool operator==(const VectorSpec&) const = default;
};

// A vector as callers give it: `dimensions` float32 values, or, for kHamming, (dimensions + 7) / 8
// bytes with bit i in byte i / 8, the least significant first, and zeros after the last.
using VectorData = const void*;

// A row that was found. Distances order rows of every metric, the nearest first: the negated inner
// product or cosine, the squared distance, the number of bits that differ.
struct Hit {
  RowId row = 0;
  Slot slot = 0;
  float distance = 0;
};
// Ties go to the smaller row, so that results do not depend on how rows are spread over segments.
inline bool Nearer(const Hit& a, const Hit& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
}

std::string_view MetricName(Metric metric);
std::string_view StorageName(Storage storage);
// Bytes of a vector as it is given.
size_t InputBytes(const VectorSpec& spec);

// INVALID_ARGUMENT for dimensions outside 1–8192 and for combinations that do not exist.
Status CheckSpec(const VectorSpec& spec);
// INVALID_ARGUMENT for NaN, infinity, values that storage cannot hold, a zero vector under cosine,
// and bits set beyond the last.
Status CheckVector(const VectorSpec& spec, VectorData vector);

// Makes a vector that is not zero one of length one, however short or long it is.
void Normalise(float* values, size_t size);

}  // namespace ragstone::index::vectors

#pragma once

#include <cstdint>
#include <cstring>

namespace ragstone::index::vectors {

// IEEE binary16 to float32: the exponent is moved by a multiplication, which also normalises
// denormal numbers. Infinity and NaN are never stored. For files that are compiled for any
// processor.
inline float HalfToFloat(uint16_t half) {
  const uint32_t shifted = static_cast<uint32_t>(half & 0x7fff) << 13;
  float magnitude;
  std::memcpy(&magnitude, &shifted, 4);
  magnitude *= 0x1p112f;
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

}  // namespace ragstone::index::vectors

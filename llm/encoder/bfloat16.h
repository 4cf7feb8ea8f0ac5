#pragma once

#include <bit>
#include <cstdint>

namespace ragstone::llm {

// To the upper half of a float, to nearest, ties to even. The value is finite.
inline uint16_t ToBfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float FromBfloat16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

}  // namespace ragstone::llm

#pragma once

#include <bit>
#include <cstdint>

namespace ragstone::llm {

// The float of an IEEE half.
inline float FromHalf(uint16_t half) {
  const uint32_t exponent = half & 0x7C00u;
  const uint32_t rebias = (exponent == 0x7C00u ? 224u : 112u) << 23;  // 224: infinite or no number
  const float magnitude = exponent == 0 ? static_cast<float>(half & 0x3FFu) * 0x1p-24f
                                        : std::bit_cast<float>(((half & 0x7FFFu) << 13) + rebias);
  return (half & 0x8000u) != 0 ? -magnitude : magnitude;
}

// To the nearest IEEE half, ties to even. The value is finite and of a magnitude of at most 65504.
inline uint16_t ToHalf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude < 0x38800000u) {  // below 2^-14: multiples of 2^-24, which the addition rounds to
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
  }
  const uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - 0x1C000u));
}

// To the upper half of a float, to nearest, ties to even. The value is finite.
inline uint16_t ToBfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float FromBfloat16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

}  // namespace ragstone::llm

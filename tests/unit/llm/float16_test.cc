#include "llm/float16.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ragstone::llm {
namespace {

TEST(Float16Test, EveryHalfComesBack) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float value = FromHalf(static_cast<uint16_t>(bits));
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(ToHalf(value), bits) << value;
  }
}

TEST(Float16Test, HalvesAreRoundedToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const float low = FromHalf(static_cast<uint16_t>(bits));
    const float high = FromHalf(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;  // exact: a float has thirteen bits more
    EXPECT_EQ(ToHalf(middle), bits % 2 == 0 ? bits : bits + 1) << middle;
    EXPECT_EQ(ToHalf(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(ToHalf(std::nextafter(middle, 1e9f)), bits + 1);
    EXPECT_EQ(ToHalf(-middle) & 0x7FFF, ToHalf(middle));
  }
}

}  // namespace
}  // namespace ragstone::llm

// Covers index/internal/vectors/kernels_portable.cc, kernels_avx2.cc, kernels_avx512.cc,
// kernels_avx512_vnni.cc and kernel_tiers.cc; codes.cc and types.cc in codes_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "index/internal/vectors/huge_buffer.h"
#include "index/internal/vectors/kernel_tiers.h"

namespace ragstone::index::vectors {
namespace {

constexpr size_t kRows = 11;  // blocks of four and a rest

// Every tier of this machine with rows of 1 to 33 units, against sums in double precision.
class KernelsTest : public testing::TestWithParam<const Kernels*> {
 protected:
  void Fill(size_t units) {
    units_ = units;
    const size_t bytes = units * kRowUnit;
    Result<HugeBuffer> rows = HugeBuffer::Make(kRows * bytes);
    Result<HugeBuffer> query = HugeBuffer::Make(4 * bytes);
    ASSERT_TRUE(rows.ok() && query.ok());
    rows_ = std::move(*rows);
    query_ = std::move(*query);
    ids_.resize(kRows);
    std::iota(ids_.begin(), ids_.end(), 0);
    std::shuffle(ids_.begin(), ids_.end(), random_);
  }
  Rows All() const { return {rows_.data(), units_ * kRowUnit, ids_.data(), kRows}; }
  template <typename T>
  T* Row(size_t i) {
    return reinterpret_cast<T*>(rows_.data() + ids_[i] * units_ * kRowUnit);
  }

  std::mt19937 random_{7};
  size_t units_ = 0;
  HugeBuffer rows_, query_;
  std::vector<uint32_t> ids_;
};

float FromHalf(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const float fraction = static_cast<float>(half & 1023);
  const float value =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return (half & 0x8000) != 0 ? -value : value;
}

TEST_P(KernelsTest, FloatsAgreeWithDoubles) {
  std::normal_distribution<float> normal;
  for (size_t units = 1; units <= 33; ++units) {
    Fill(units);
    const size_t size = units * 16;
    auto* query = reinterpret_cast<float*>(query_.data());
    for (size_t i = 0; i < size; ++i) query[i] = normal(random_);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t i = 0; i < size; ++i) Row<float>(row)[i] = normal(random_);
    }
    float dots[kRows], squares[kRows];
    GetParam()->dot_f32(query, All(), units, dots);
    GetParam()->l2_f32(query, All(), units, squares);
    for (size_t row = 0; row < kRows; ++row) {
      double dot = 0, squared = 0;
      for (size_t i = 0; i < size; ++i) {
        const double value = Row<float>(row)[i];
        dot += value * query[i];
        squared += (value - query[i]) * (value - query[i]);
      }
      EXPECT_NEAR(dots[row], dot, 1e-5 * static_cast<double>(size)) << units;
      EXPECT_NEAR(squares[row], squared, 1e-5 * squared) << units;
    }
  }
}

TEST_P(KernelsTest, HalvesAgreeWithDoubles) {
  std::normal_distribution<float> normal;
  for (size_t units = 1; units <= 33; ++units) {
    Fill(units);
    const size_t size = units * 32;
    auto* query = reinterpret_cast<float*>(query_.data());
    for (size_t i = 0; i < size; ++i) query[i] = normal(random_);
    for (size_t row = 0; row < kRows; ++row) {
      // Normal and denormal numbers, of both signs.
      for (size_t i = 0; i < size; ++i) {
        Row<uint16_t>(row)[i] =
            static_cast<uint16_t>(random_() & 0x8000) | static_cast<uint16_t>(random_() % 0x4000);
      }
    }
    float dots[kRows], squares[kRows];
    GetParam()->dot_f16(query, All(), units, dots);
    GetParam()->l2_f16(query, All(), units, squares);
    for (size_t row = 0; row < kRows; ++row) {
      double dot = 0, squared = 0;
      for (size_t i = 0; i < size; ++i) {
        const double value = FromHalf(Row<uint16_t>(row)[i]);
        dot += value * query[i];
        squared += (value - query[i]) * (value - query[i]);
      }
      EXPECT_NEAR(dots[row], dot, 1e-5 * static_cast<double>(size)) << units;
      EXPECT_NEAR(squares[row], squared, 1e-5 * squared) << units;
    }
  }
}

TEST_P(KernelsTest, BytesAreExactAlsoAtTheirExtremes) {
  for (size_t units = 1; units <= 130; units += units < 20 ? 1 : 11) {
    Fill(units);
    const size_t size = units * kRowUnit;
    auto* query = reinterpret_cast<int8_t*>(query_.data());
    // Row 0 with the query's largest values would overflow sums of 16 bits.
    for (size_t i = 0; i < size; ++i) query[i] = static_cast<int8_t>(random_() % 256 - 128);
    for (size_t i = 0; i < size / 2; ++i) query[i] = 127;
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t i = 0; i < size; ++i) {
        Row<uint8_t>(row)[i] = row == 0 ? 255 : static_cast<uint8_t>(random_());
      }
    }
    int32_t dots[kRows];
    GetParam()->dot_u8(query, All(), units, dots);
    for (size_t row = 0; row < kRows; ++row) {
      int64_t dot = 0;
      for (size_t i = 0; i < size; ++i) dot += int64_t{Row<uint8_t>(row)[i]} * query[i];
      EXPECT_EQ(dots[row], dot) << units;
    }
  }
}

TEST_P(KernelsTest, DifferingBitsAreCounted) {
  for (size_t units = 1; units <= 16; ++units) {
    Fill(units);
    const size_t words = units * 8;
    auto* query = reinterpret_cast<uint64_t*>(query_.data());
    std::mt19937_64 wide(units);
    for (size_t i = 0; i < words; ++i) query[i] = wide();
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t i = 0; i < words; ++i) Row<uint64_t>(row)[i] = row == 0 ? ~query[i] : wide();
    }
    int32_t got[kRows];
    GetParam()->hamming(query, All(), units, got);
    for (size_t row = 0; row < kRows; ++row) {
      int32_t bits = 0;
      for (size_t i = 0; i < words * 64; ++i) {
        bits += ((Row<uint64_t>(row)[i / 64] ^ query[i / 64]) >> i % 64 & 1) != 0;
      }
      EXPECT_EQ(got[row], bits) << units;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, KernelsTest, testing::ValuesIn(KernelTiers()),
                         [](const auto& tier) {
                           std::string name = tier.param->tier;
                           for (char& letter : name) letter = letter == '-' ? '_' : letter;
                           return name;
                         });

TEST(KernelTiersTest, ThePortableTierIsLastAndTheBestFirst) {
  ASSERT_FALSE(KernelTiers().empty());
  EXPECT_STREQ(KernelTiers().back()->tier, "portable");
  EXPECT_EQ(&BestKernels(), KernelTiers().front());
}

}  // namespace
}  // namespace ragstone::index::vectors

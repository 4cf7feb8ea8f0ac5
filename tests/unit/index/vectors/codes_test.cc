// Covers index/internal/vectors/codes.cc, types.cc and huge_buffer.cc.
#include "index/internal/vectors/codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "index/internal/vectors/kernel_tiers.h"
#include "tests/unit/index/vectors/random_vectors.h"

namespace ragstone::index::vectors {
namespace {

struct Case {
  CodeKind kind;
  Metric metric;
  // The largest error, as a share of the mean difference of two rows' distances.
  double error;
};

class CodesTest : public testing::TestWithParam<Case> {};

// Odd dimensions, the smallest and the largest; every tier of this machine.
TEST_P(CodesTest, DistancesAgreeWithDoublesInEveryTier) {
  for (const uint32_t dimensions : {1u, 2u, 3u, 7u, 15u, 16u, 17u, 63u, 65u, 100u, 383u, 384u, 385u,
                                    769u, 1536u, 4099u, 8191u, 8192u}) {
    VectorSpec spec;
    spec.dimensions = dimensions;
    spec.metric = GetParam().metric;
    spec.storage = spec.metric == Metric::kHamming ? Storage::kBinary : Storage::kFloat32;
    const size_t count = dimensions > 1000 ? 20 : 60;
    RandomRows rows(spec, count, dimensions);
    Result<Codes> codes = Codes::Make(PlanCodes(GetParam().kind, spec, rows), count);
    ASSERT_TRUE(codes.ok());
    std::vector<Slot> slots(count);
    std::iota(slots.begin(), slots.end(), 0);
    for (const Slot slot : slots) codes->Encode(slot, rows.vector(slot));
    const std::vector<uint8_t> query = rows.Query();
    double spread = 0;
    for (size_t i = 1; i < count; ++i) {
      spread += std::abs(rows.Distance(query.data(), i) - rows.Distance(query.data(), i - 1));
    }
    spread /= static_cast<double>(count - 1);
    for (const Kernels* kernels : KernelTiers()) {
      codes->UseKernels(kernels);
      CodedQuery coded;
      codes->Prepare(query.data(), &coded);
      std::vector<float> got(count);
      codes->Distances(coded, slots.data(), count, got.data());
      double error = 0;
      for (size_t i = 0; i < count; ++i) {
        error = std::max(error, std::abs(got[i] - rows.Distance(query.data(), i)));
      }
      EXPECT_LE(error, GetParam().error * spread + 1e-6) << dimensions << " " << kernels->tier;
      // A row as the query is near what its vector as the query is.
      CodedQuery from_row, from_vector;
      codes->PrepareRow(3, &from_row);
      codes->Prepare(rows.vector(3), &from_vector);
      std::vector<float> of_row(count), of_vector(count);
      codes->Distances(from_row, slots.data(), count, of_row.data());
      codes->Distances(from_vector, slots.data(), count, of_vector.data());
      for (size_t i = 0; i < count; ++i) {
        EXPECT_NEAR(of_row[i], of_vector[i], 2 * GetParam().error * spread + 1e-5)
            << dimensions << " " << kernels->tier;
      }
    }
  }
}

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  static const char* const kKinds[] = {"Float32", "Float16", "Int8", "Bits"};
  static const char* const kMetrics[] = {"InnerProduct", "Cosine", "L2", "Hamming"};
  return std::string(kKinds[static_cast<int>(info.param.kind)]) +
         kMetrics[static_cast<int>(info.param.metric)];
}

INSTANTIATE_TEST_SUITE_P(All, CodesTest,
                         testing::Values(Case{CodeKind::kFloat32, Metric::kInnerProduct, 1e-3},
                                         Case{CodeKind::kFloat32, Metric::kCosine, 1e-3},
                                         Case{CodeKind::kFloat32, Metric::kL2, 1e-3},
                                         Case{CodeKind::kFloat16, Metric::kInnerProduct, 0.02},
                                         Case{CodeKind::kFloat16, Metric::kCosine, 0.02},
                                         Case{CodeKind::kFloat16, Metric::kL2, 0.02},
                                         Case{CodeKind::kInt8, Metric::kInnerProduct, 0.25},
                                         Case{CodeKind::kInt8, Metric::kCosine, 0.25},
                                         Case{CodeKind::kInt8, Metric::kL2, 0.25},
                                         Case{CodeKind::kBits, Metric::kHamming, 0}),
                         NameOf);

TEST(CodesTest, RowsOfVeryDifferentLengthGetTheirOwnSteps) {
  const VectorSpec spec = {96, Metric::kInnerProduct, Storage::kFloat32};
  struct Scaled : RandomRows {
    using RandomRows::RandomRows;
    mutable std::vector<float> scaled;
    VectorData vector(size_t i) const override {
      const auto* values = static_cast<const float*>(RandomRows::vector(i));
      scaled.assign(values, values + 96);
      for (float& value : scaled) value *= i % 3 == 0 ? 0.001f : 10.0f;
      return scaled.data();
    }
  };
  Scaled rows(spec, 100, 5);
  const CodePlan plan = PlanCodes(CodeKind::kInt8, spec, rows);
  EXPECT_TRUE(plan.row_steps());
  Result<Codes> codes = Codes::Make(plan, 100);
  ASSERT_TRUE(codes.ok());
  for (Slot slot = 0; slot < 100; ++slot) codes->Encode(slot, rows.vector(slot));
  std::vector<float> back(96);
  codes->Decode(0, back.data());
  const auto* values = static_cast<const float*>(rows.vector(0));
  for (size_t i = 0; i < 96; ++i) EXPECT_NEAR(back[i], values[i], 1e-4);
}

TEST(CodesTest, HalvesAreRoundedToTheNearest) {
  const VectorSpec spec = {7, Metric::kL2, Storage::kFloat16};
  CodePlan plan;
  plan.kind = CodeKind::kFloat16;
  plan.metric = spec.metric;
  plan.dimensions = spec.dimensions;
  Result<Codes> codes = Codes::Make(plan, 1);
  ASSERT_TRUE(codes.ok());
  const float values[7] = {1.0f, -2049.0f, 65504.0f, 0x1p-24f, 0x1.8p-25f, 0.1f, 2051.0f};
  float back[7];
  codes->Encode(0, values);
  codes->Decode(0, back);
  const float expected[7] = {1.0f,     -2048.0f,         65504.0f, 0x1p-24f,
                             0x1p-24f, 0.0999755859375f, 2052.0f};
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(back[i], expected[i]) << i;
}

TEST(TypesTest, SpecsThatDoNotExistAreRefused) {
  EXPECT_TRUE(CheckSpec({1, Metric::kL2, Storage::kInt8}).ok());
  EXPECT_TRUE(CheckSpec({8192, Metric::kHamming, Storage::kBinary}).ok());
  for (const VectorSpec& spec :
       {VectorSpec{0, Metric::kL2, Storage::kInt8}, VectorSpec{8193, Metric::kL2, Storage::kInt8},
        VectorSpec{8, Metric::kHamming, Storage::kFloat32},
        VectorSpec{8, static_cast<Metric>(9), Storage::kFloat32}}) {
    EXPECT_EQ(CheckSpec(spec).code(), StatusCode::kInvalidArgument);
  }
}

TEST(TypesTest, VectorsThatCannotBeSearchedAreRefused) {
  const VectorSpec cosine = {3, Metric::kCosine, Storage::kFloat32};
  const auto check = [](const VectorSpec& spec, std::vector<float> vector) {
    return CheckVector(spec, vector.data()).code();
  };
  EXPECT_EQ(check(cosine, {1, 0, 0}), StatusCode::kOk);
  EXPECT_EQ(check(cosine, {0, 0, 0}), StatusCode::kInvalidArgument);
  EXPECT_EQ(check({3, Metric::kL2, Storage::kFloat32}, {0, 0, 0}), StatusCode::kOk);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(check(cosine, {1, NAN, 0}), StatusCode::kInvalidArgument);
  EXPECT_EQ(check(cosine, {1, 0, -infinity}), StatusCode::kInvalidArgument);
  EXPECT_EQ(check({3, Metric::kL2, Storage::kFloat16}, {1, 70000, 0}),
            StatusCode::kInvalidArgument);
  const uint8_t fits = 0x07, too_many = 0x08;
  const VectorSpec bits = {3, Metric::kHamming, Storage::kBinary};
  EXPECT_TRUE(CheckVector(bits, &fits).ok());
  EXPECT_FALSE(CheckVector(bits, &too_many).ok());
}

TEST(TypesTest, VectorsOfEveryLengthAreNormalised) {
  for (const float length : {1e-45f, 1e-40f, 1e-30f, 1.0f, 1e16f}) {
    std::vector<float> vector = {0, 3 * length, -4 * length};
    Normalise(vector.data(), vector.size());
    EXPECT_NEAR(vector[1], 0.6f, 1e-5f) << length;
    EXPECT_NEAR(vector[2], -0.8f, 1e-5f) << length;
  }
  std::vector<float> zero(3, 0.0f);
  Normalise(zero.data(), zero.size());
  EXPECT_EQ(zero, std::vector<float>(3, 0.0f));
}

TEST(HugeBufferTest, IsZeroedAndAlignedAtEverySize) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, HugeBuffer::kHugeMin - 1,
                             HugeBuffer::kHugeMin, 3 * HugeBuffer::kPiece + 5}) {
    Result<HugeBuffer> buffer = HugeBuffer::Make(bytes);
    ASSERT_TRUE(buffer.ok());
    const size_t alignment = bytes >= HugeBuffer::kHugeMin ? HugeBuffer::kPiece : 64;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % alignment, 0u);
    EXPECT_GE(buffer->allocated(), bytes);
    for (size_t i = 0; i < bytes; i += 4097) EXPECT_EQ(buffer->data()[i], 0);
    HugeBuffer moved = std::move(*buffer);
    EXPECT_EQ(moved.size(), bytes);
  }
  EXPECT_EQ(HugeBuffer::Make(SIZE_MAX / 2).status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace ragstone::index::vectors

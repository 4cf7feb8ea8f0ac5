// Tests kernels_portable.cc, kernels_avx2.cc, kernels_avx_vnni.cc, kernels_avx512.cc,
// kernels_avx512_bf16.cc, kernels_avx512_vnni.cc, kernels_avx512_vnni_f32.cc and kernels_amx.cc
// against arithmetic in double, and kernel_tiers.cc and packed_weights.cc. What AMX and AVX-VNNI
// compute is tested emulated too, since few machines have them.
#include "llm/encoder/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "llm/encoder/kernel_tiers.h"
#include "llm/encoder/packed_weights.h"
#include "llm/float16.h"
#include "tests/unit/llm/encoder/emulated_amx.h"
#include "tests/unit/llm/encoder/reference_bert.h"

namespace ragstone::llm {
namespace {

// Relative to the largest value. The operands of BF16 have 8 bits, those of int8 have 7.
double Tolerance(const Kernels& kernels) {
  return kernels.product == ProductType::kF32    ? 4e-6
         : kernels.product == ProductType::kBf16 ? 0.01
                                                 : 0.03;
}

class KernelsTest : public ::testing::TestWithParam<KernelTier> {
 protected:
  void SetUp() override {
    if (!GetParam().missing.empty()) {
      GTEST_SKIP() << "this processor lacks " << GetParam().missing.front();
    }
  }
  const Kernels& kernels() const { return *GetParam().kernels; }
  bool int8() const { return kernels().product == ProductType::kInt8; }

  std::vector<float> Random(size_t count, float size) {
    std::normal_distribution<float> normal(0, size);
    std::vector<float> values(count);
    for (float& value : values) value = normal(random_);
    return values;
  }
  static size_t RowsFor(size_t rows) { return rows + kRowsBeyond; }
  size_t ValueBytes() const { return kernels().value == ValueType::kF32 ? 4 : 2; }
  AlignedBuffer ToValues(const std::vector<float>& floats, size_t room) const {
    AlignedBuffer buffer(room * ValueBytes());
    for (size_t i = 0; i < floats.size(); ++i) {
      const uint16_t bits = ToBfloat16(floats[i]);
      std::memcpy(buffer.data() + i * ValueBytes(),
                  ValueBytes() == 4 ? static_cast<const void*>(&floats[i]) : &bits, ValueBytes());
    }
    return buffer;
  }
  std::vector<float> FromValues(const AlignedBuffer& buffer, size_t count) const {
    std::vector<float> floats(count);
    for (size_t i = 0; i < count; ++i) {
      uint16_t bits = 0;
      if (ValueBytes() == 4) {
        std::memcpy(&floats[i], buffer.data() + 4 * i, 4);
      } else {
        std::memcpy(&bits, buffer.data() + 2 * i, 2);
        floats[i] = FromBfloat16(bits);
      }
    }
    return floats;
  }
  void ExpectNear(const std::vector<float>& got, const std::vector<double>& expected,
                  double tolerance) const {
    ASSERT_EQ(got.size(), expected.size());
    double largest = 0, error = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(std::isfinite(got[i])) << i;
      largest = std::max(largest, std::abs(expected[i]));
      error = std::max(error, std::abs(expected[i] - got[i]));
    }
    EXPECT_LE(error, tolerance * largest);
  }

  // x W + b for random values, with what each tier makes of the operands left out.
  struct Product {
    std::vector<float> got;
    std::vector<double> expected;  // before the epilogue
    std::vector<float> before;     // what kAdd adds to
  };
  Product Multiply(size_t rows, size_t inputs, size_t outputs, Epilogue epilogue) {
    const std::vector<float> x = Random(rows * inputs, 1), w = Random(inputs * outputs, 0.05f);
    BertLinear layer;
    layer.weight.rows = static_cast<uint32_t>(outputs);
    layer.weight.columns = static_cast<uint32_t>(inputs);
    layer.weight.values = w.data();
    layer.bias = Random(outputs, 1);
    const PackedWeights packed({&layer}, kernels());
    AlignedBuffer values = ToValues(x, RowsFor(rows) * inputs);
    AlignedBuffer quantized(RowsFor(rows) * inputs);
    std::vector<float> scales(rows);
    LinearCall call;
    call.input = values.data();
    if (int8()) {
      kernels().quantize({values.data(), rows, inputs, reinterpret_cast<uint8_t*>(quantized.data()),
                          scales.data()});
      call.input = quantized.data();
      call.input_scales = scales.data();
    }
    call.rows = rows;
    call.linear = &packed.linear();
    call.epilogue = epilogue;
    Product product;
    product.before = Random(rows * outputs, 1);
    AlignedBuffer output(rows * outputs * 4);
    std::memcpy(output.data(), product.before.data(), rows * outputs * 4);
    call.output = output.data();
    kernels().linear(call);
    product.got.resize(rows * outputs);
    if (epilogue == Epilogue::kAdd) {
      std::memcpy(product.got.data(), output.data(), rows * outputs * 4);
    } else {
      product.got = FromValues(output, rows * outputs);
    }
    for (size_t r = 0; r < rows; ++r) {
      for (size_t j = 0; j < outputs; ++j) {
        double sum = layer.bias[j];
        for (size_t k = 0; k < inputs; ++k) sum += double{x[r * inputs + k]} * w[j * inputs + k];
        product.expected.push_back(sum);
      }
    }
    return product;
  }

  std::mt19937 random_{20261122};
};

TEST_P(KernelsTest, LinearLayersOfAnyHeightAreProducts) {
  for (const size_t rows : {1, 2, 5, 11, 12, 13, 31, 53, 96}) {
    const Product product = Multiply(rows, 64 + rows % 2 * 128, 128, Epilogue::kStore);
    SCOPED_TRACE(rows);
    ExpectNear(product.got, product.expected, Tolerance(kernels()));
  }
}

TEST_P(KernelsTest, ALinearLayerMayEndInTheErrorFunctionsGelu) {
  Product product = Multiply(37, 192, 64, Epilogue::kGelu);
  for (double& value : product.expected) value = ReferenceGelu(value);
  ExpectNear(product.got, product.expected, Tolerance(kernels()));
}

TEST_P(KernelsTest, ALinearLayerMayBeAddedToFloats) {
  Product product = Multiply(14, 128, 192, Epilogue::kAdd);
  for (size_t i = 0; i < product.expected.size(); ++i) product.expected[i] += product.before[i];
  ExpectNear(product.got, product.expected, Tolerance(kernels()));
}

TEST_P(KernelsTest, NormIsLayerNorm) {
  for (const size_t size : {64, 384, 1024}) {
    constexpr size_t kRows = 3;
    std::vector<float> x = Random(kRows * size, 2);
    for (float& value : x) value += 5;
    BertNorm norm;
    norm.gamma = Random(size, 1);
    norm.beta = Random(size, 1);
    std::vector<double> expected;
    for (size_t r = 0; r < kRows; ++r) {
      const auto begin = x.begin() + static_cast<std::ptrdiff_t>(r * size);
      const std::vector<double> row =
          ReferenceNorm({begin, begin + static_cast<std::ptrdiff_t>(size)}, norm, 1e-12);
      expected.insert(expected.end(), row.begin(), row.end());
    }
    AlignedBuffer input(kRows * size * 4);
    std::vector<float> scales(kRows);
    NormCall call;
    call.x = x.data();
    call.rows = kRows;
    call.size = size;
    call.gamma = norm.gamma.data();
    call.beta = norm.beta.data();
    call.epsilon = 1e-12f;
    call.input = input.data();
    call.input_scales = scales.data();
    kernels().norm(call);
    ExpectNear(x, expected, 1e-5);
    if (kernels().product == ProductType::kBf16) {
      ExpectNear(FromValues(input, kRows * size), expected, 0.005);
    } else if (int8()) {
      std::vector<float> restored(kRows * size);
      for (size_t i = 0; i < restored.size(); ++i) {
        const auto byte = static_cast<uint8_t>(input.data()[i]);
        restored[i] = static_cast<float>(byte - 128) * scales[i / size];
      }
      ExpectNear(restored, expected, 0.5 / 127 + 1e-5);
    }
  }
}

TEST_P(KernelsTest, AttentionOfAnyLengthIsSoftmaxAttention) {
  for (const size_t head_size : {16, 32, 48, 64, 80, 128}) {
    for (const size_t length : {1, 2, 7, 33, 100, 255}) {
      constexpr size_t kHeads = 2;
      const std::vector<float> qkv = Random(length * 3 * kHeads * head_size, 1);
      const AlignedBuffer values = ToValues(qkv, RowsFor(length) * 3 * kHeads * head_size);
      const AlignedBuffer output(length * kHeads * head_size * 4);
      const AlignedBuffer scratch(kernels().attention_scratch(length, head_size));
      AttentionCall call;
      call.qkv = values.data();
      call.length = length;
      call.heads = kHeads;
      call.head_size = head_size;
      call.scale = 0.4f;
      call.output = output.data();
      call.scratch = scratch.data();
      kernels().attention(call);
      const std::vector<float> rounded = FromValues(values, qkv.size());
      SCOPED_TRACE(std::to_string(length) + " tokens, heads of " + std::to_string(head_size));
      ExpectNear(
          FromValues(output, length * kHeads * head_size),
          ReferenceAttention({rounded.begin(), rounded.end()}, kHeads, head_size, call.scale),
          kernels().value == ValueType::kF32 ? 1e-5 : 0.01);
    }
  }
}

TEST_P(KernelsTest, LargeScoresGiveNoInfinities) {
  constexpr size_t kLength = 40, kHeadSize = 32;
  std::vector<float> qkv = Random(kLength * 3 * kHeadSize, 200);
  const AlignedBuffer values = ToValues(qkv, RowsFor(kLength) * 3 * kHeadSize);
  const AlignedBuffer output(kLength * kHeadSize * 4);
  const AlignedBuffer scratch(kernels().attention_scratch(kLength, kHeadSize));
  kernels().attention({values.data(), kLength, 1, kHeadSize, 1.0f, output.data(), scratch.data()});
  for (const float value : FromValues(output, kLength * kHeadSize)) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

TEST_P(KernelsTest, TheSelfTestPassesAndFindsAWrongKernel) {
  const Status status = TestKernels(GetParam());
  EXPECT_TRUE(status.ok()) << status.ToString();
  Kernels wrong = kernels();
  wrong.norm = [](const NormCall&) {};
  EXPECT_EQ(TestKernels({&wrong, {}}).reason(), Reason::kModelUnsupported);
  wrong = kernels();
  wrong.attention = [](const AttentionCall& call) {
    std::memset(call.output, 0xff, 2);  // no number, or half of one
    std::memset(static_cast<char*>(call.output) + 2, 0xff, 2);
  };
  EXPECT_EQ(TestKernels({&wrong, {}}).reason(), Reason::kModelUnsupported);
}

TEST_P(KernelsTest, LongSumsOfLargeValuesDoNotOverflow) {
  constexpr size_t kInputs = 4096, kOutputs = 64;
  const std::vector<float> x(kInputs, 100), w(kInputs * kOutputs, 2);
  BertLinear layer;
  layer.weight.rows = kOutputs;
  layer.weight.columns = kInputs;
  layer.weight.values = w.data();
  layer.bias.assign(kOutputs, 0);
  const PackedWeights packed({&layer}, kernels());
  const AlignedBuffer values = ToValues(x, RowsFor(1) * kInputs);
  const AlignedBuffer quantized(RowsFor(1) * kInputs);
  std::vector<float> scales(1), got(kOutputs);
  LinearCall call;
  call.input = values.data();
  if (int8()) {
    kernels().quantize(
        {values.data(), 1, kInputs, reinterpret_cast<uint8_t*>(quantized.data()), scales.data()});
    call.input = quantized.data();
    call.input_scales = scales.data();
  }
  call.rows = 1;
  call.linear = &packed.linear();
  call.epilogue = Epilogue::kAdd;
  call.output = got.data();
  kernels().linear(call);
  for (const float value : got) EXPECT_NEAR(value, 100.0 * 2 * kInputs, 4000);
}

// Sums of 8-bit products are whole numbers, so that all tiers with the same values between products
// differ only where floats are rounded: a layer from the same input gives the same bits.
TEST(Int8TiersTest, AProductIsTheSameWithEveryTier) {
  constexpr size_t kRows = 29, kInputs = 192, kOutputs = 64;
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> w(kInputs * kOutputs), scales(kRows, 0.01f);
  for (float& value : w) value = normal(random);
  BertLinear layer;
  layer.weight = {FloatType::kF32, kOutputs, kInputs, w.data()};
  layer.bias.assign(kOutputs, 0.5f);
  const AlignedBuffer input((kRows + kRowsBeyond) * kInputs);
  for (size_t i = 0; i < kRows * kInputs; ++i) input.data()[i] = static_cast<char>(random());
  std::vector<std::vector<float>> all;
  for (const KernelTier& tier : TestedTiers()) {
    if (tier.kernels->product != ProductType::kInt8 || !tier.missing.empty()) continue;
    SCOPED_TRACE(tier.kernels->tier);
    const PackedWeights packed({&layer}, *tier.kernels);
    std::vector<float> got(kRows * kOutputs);
    LinearCall call;
    call.input = input.data();
    call.input_scales = scales.data();
    call.rows = kRows;
    call.linear = &packed.linear();
    call.epilogue = Epilogue::kAdd;
    call.output = got.data();
    tier.kernels->linear(call);
    all.push_back(std::move(got));
    EXPECT_EQ(all.back(), all.front());
  }
  EXPECT_GE(all.size(), 2u);  // those that are emulated
}

INSTANTIATE_TEST_SUITE_P(AllTiers, KernelsTest, ::testing::ValuesIn(TestedTiers()),
                         [](const auto& info) {
                           std::string name = info.param.kernels->tier;
                           std::erase(name, '-');
                           return name;
                         });

TEST(KernelTiersTest, AMissingFeatureIsNamedBeforeAKernelRuns) {
  Kernels never = PortableKernels();
  never.norm = [](const NormCall&) { FAIL() << "a kernel ran"; };
  const Status status = TestKernels({&never, {"avx1024"}});
  EXPECT_NE(status.message().find("lacks avx1024"), std::string::npos);
}

TEST(KernelTiersTest, TheWorkersTierIsALimit) {
  const auto portable = ChooseKernels("float", "v2");
  ASSERT_TRUE(portable.ok());
  EXPECT_STREQ((*portable)->tier, "portable");
  const auto best = ChooseKernels("float", "");
  ASSERT_TRUE(best.ok());
  EXPECT_NE((*best)->product, ProductType::kInt8);
  const auto named = ChooseKernels("portable", "");
  ASSERT_TRUE(named.ok());
  EXPECT_STREQ((*named)->tier, "portable");
  EXPECT_FALSE(ChooseKernels("int8", "v2").ok());
  EXPECT_NE(ChooseKernels("steam", "").status().message().find("no such tier"), std::string::npos);
}

TEST(KernelTiersTest, AWorkerForAvx2ForbidsAvx512OnlyWhereAnotherWorkerHasIt) {
  for (const KernelTier& tier : KernelTiers()) {
    const std::string_view name = tier.kernels->tier;
    const bool wide =
        name.find("avx512") != std::string_view::npos || name.find("amx") != std::string_view::npos;
    for (const bool has_avx512_worker : {false, true}) {
      EXPECT_EQ(IsWithinWorkerTier(name, "v2", has_avx512_worker), name == "portable");
      EXPECT_EQ(IsWithinWorkerTier(name, "avx2", has_avx512_worker), !wide || !has_avx512_worker);
      EXPECT_EQ(IsWithinWorkerTier(name, "cuda", has_avx512_worker), !wide);
      EXPECT_TRUE(IsWithinWorkerTier(name, "avx512", has_avx512_worker));
      EXPECT_TRUE(IsWithinWorkerTier(name, "generic", has_avx512_worker));
    }
  }
}

}  // namespace
}  // namespace ragstone::llm

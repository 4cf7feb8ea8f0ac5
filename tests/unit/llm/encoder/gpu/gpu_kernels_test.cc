// Tests the kernels of llm/encoder/cuda against references in double: on emulated GPUs of each
// generation, and on the machine's (cuda_gpu.cc, cublas.cc) if this was built for CUDA and it has
// one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "llm/encoder/gpu/gpu.h"
#include "llm/float16.h"
#include "tests/unit/llm/encoder/gpu/test_gpus.h"
#include "tests/unit/llm/encoder/reference_bert.h"

namespace ragstone::llm::gpu {
namespace {

constexpr float kEpsilon = 1e-12f;

class GpuKernelTest : public ::testing::TestWithParam<TestGpu> {
 protected:
  void SetUp() override {
    gpu_ = GetParam().open();
    if (gpu_ == nullptr) GTEST_SKIP() << "no such GPU";
    auto queue = gpu_->NewQueue(Priority::kLow);
    ASSERT_TRUE(queue.ok()) << queue.status().ToString();
    queue_ = std::move(*queue);
  }
  void TearDown() override {
    queue_.reset();
    memory_.clear();
  }

  Type type() const { return gpu_->info().type; }
  // Of one rounding to the GPU's type, relative to values around 1, with some room for sums.
  double Tolerance() const {
    return type() == Type::kF32 ? 2e-5 : type() == Type::kF16 ? 4e-3 : 3e-2;
  }

  void* Device(size_t bytes) {
    auto memory = gpu_->Allocate(bytes);
    EXPECT_TRUE(memory.ok()) << memory.status().ToString();
    memory_.push_back(*memory);
    return memory->get();
  }
  template <typename T>
  const T* Put(const std::vector<T>& values) {
    void* device = Device(values.size() * sizeof(T));
    EXPECT_TRUE(gpu_->Upload(device, values.data(), values.size() * sizeof(T)).ok());
    return static_cast<const T*>(device);
  }
  // In the GPU's type; rounds `values` to what the GPU gets.
  void* PutTyped(std::vector<float>* values) {
    if (type() == Type::kF32) return const_cast<float*>(Put(*values));
    std::vector<uint16_t> bits(values->size());
    for (size_t i = 0; i < bits.size(); ++i) {
      const bool half = type() == Type::kF16;
      bits[i] = half ? ToHalf((*values)[i]) : ToBfloat16((*values)[i]);
      (*values)[i] = half ? FromHalf(bits[i]) : FromBfloat16(bits[i]);
    }
    return const_cast<uint16_t*>(Put(bits));
  }
  std::vector<float> Get(const void* device, size_t count) {
    auto host = gpu_->AllocateHost(count * sizeof(float));
    EXPECT_TRUE(host.ok());
    EXPECT_TRUE(queue_->CopyOut(host->get(), device, count * sizeof(float)).ok());
    EXPECT_TRUE(queue_->Wait().ok());
    std::vector<float> values(count);
    std::memcpy(values.data(), host->get(), count * sizeof(float));
    return values;
  }
  std::vector<float> GetTyped(const void* device, size_t count) {
    if (type() == Type::kF32) return Get(device, count);
    const std::vector<float> pairs = Get(device, (count + 1) / 2);
    std::vector<uint16_t> bits(pairs.size() * 2);
    std::memcpy(bits.data(), pairs.data(), pairs.size() * sizeof(float));
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
      values[i] = type() == Type::kF16 ? FromHalf(bits[i]) : FromBfloat16(bits[i]);
    }
    return values;
  }
  std::vector<float> Random(size_t count, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    std::vector<float> values(count);
    for (float& value : values) value = normal(random_);
    return values;
  }
  BertNorm RandomNorm(uint32_t hidden) { return {Random(hidden, 0.5f), Random(hidden, 0.5f)}; }
  Norm PutNorm(const BertNorm& norm) { return {Put(norm.gamma), Put(norm.beta), kEpsilon}; }
  const BatchSizes* PutSizes(uint32_t tokens, uint32_t tiles, uint32_t texts) {
    return Put(std::vector<BatchSizes>{
        {static_cast<int32_t>(tokens), static_cast<int32_t>(tiles), static_cast<int32_t>(texts)}});
  }
  void ExpectNear(const std::vector<double>& expected, std::span<const float> got,
                  const std::string& what) {
    ASSERT_EQ(expected.size(), got.size());
    double worst = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      worst = std::max(worst, std::abs(expected[i] - got[i]) / (1 + std::abs(expected[i])));
      if (std::isnan(got[i])) worst = INFINITY;
    }
    EXPECT_LE(worst, Tolerance()) << what;
  }

  std::shared_ptr<Gpu> gpu_;
  std::unique_ptr<gpu::Queue> queue_;
  std::vector<std::shared_ptr<void>> memory_;
  std::mt19937 random_{11};
};

TEST_P(GpuKernelTest, EmbeddingsAreAddedAndNormalised) {
  for (const uint32_t hidden : {64u, 384u, 1024u}) {
    constexpr uint32_t kTokens = 7;
    constexpr uint32_t kBucket = 16;
    std::vector<float> table = Random(50 * size_t{hidden});
    const std::vector<float> positions = Random(20 * size_t{hidden});
    const BertNorm norm = RandomNorm(hidden);
    const std::vector<int32_t> ids = {3, 49, 0, 7, 7, 12, 1};
    const std::vector<int32_t> places = {0, 1, 2, 0, 1, 19, 0};
    EmbedCall call;
    call.bucket = {kBucket, 1};
    call.sizes = PutSizes(kTokens, 1, 1);
    call.hidden = hidden;
    call.ids = Put(ids);
    call.positions_of = Put(places);
    call.tokens = PutTyped(&table);
    call.positions = Put(positions);
    call.norm = PutNorm(norm);
    call.output = Device(kBucket * hidden * sizeof(float));
    ASSERT_TRUE(queue_->Embed(call).ok());
    const std::vector<float> got = GetTyped(call.output, kBucket * size_t{hidden});
    for (size_t row = 0; row < kTokens; ++row) {
      std::vector<double> sum(hidden);
      for (size_t i = 0; i < hidden; ++i) {
        sum[i] = double{table[static_cast<size_t>(ids[row]) * hidden + i]} +
                 positions[static_cast<size_t>(places[row]) * hidden + i];
      }
      ExpectNear(ReferenceNorm(sum, norm, kEpsilon), {got.data() + row * hidden, hidden},
                 "row " + std::to_string(row) + " of " + std::to_string(hidden));
    }
    EXPECT_TRUE(std::all_of(got.begin() + kTokens * hidden, got.end(), [](float value) {
      return value == 0;
    })) << "rows beyond the batch were written";
  }
}

TEST_P(GpuKernelTest, ResidualsAreAddedAndNormalised) {
  for (const uint32_t hidden : {64u, 192u, 768u}) {
    constexpr uint32_t kTokens = 9;
    std::vector<float> input = Random(kTokens * size_t{hidden});
    std::vector<float> residual = Random(kTokens * size_t{hidden});
    const std::vector<float> bias = Random(hidden);
    const BertNorm norm = RandomNorm(hidden);
    NormCall call;
    call.bucket = {kTokens, 1};
    call.sizes = PutSizes(kTokens - 1, 1, 1);
    call.hidden = hidden;
    call.input = PutTyped(&input);
    call.bias = Put(bias);
    call.residual = PutTyped(&residual);
    call.norm = PutNorm(norm);
    ASSERT_TRUE(queue_->Normalize(call).ok());
    const std::vector<float> got = GetTyped(call.residual, kTokens * size_t{hidden});
    for (size_t row = 0; row + 1 < kTokens; ++row) {
      std::vector<double> sum(hidden);
      for (size_t i = 0; i < hidden; ++i) {
        sum[i] = double{input[row * hidden + i]} + residual[row * hidden + i] + bias[i];
      }
      ExpectNear(ReferenceNorm(sum, norm, kEpsilon), {got.data() + row * hidden, hidden},
                 "row " + std::to_string(row) + " of " + std::to_string(hidden));
    }
    EXPECT_TRUE(std::equal(residual.end() - hidden, residual.end(), got.end() - hidden))
        << "a row beyond the batch was written";
  }
}

TEST_P(GpuKernelTest, GeluIsTheErfForm) {
  for (const uint32_t size : {64u, 1536u, 4096u}) {
    constexpr uint32_t kTokens = 3;
    std::vector<float> x = Random(kTokens * size_t{size}, 3);
    const std::vector<float> bias = Random(size);
    GeluCall call;
    call.bucket = {kTokens, 1};
    call.sizes = PutSizes(kTokens, 1, 1);
    call.size = size;
    call.bias = Put(bias);
    call.x = PutTyped(&x);
    std::vector<double> expected(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      expected[i] = ReferenceGelu(double{x[i]} + bias[i % size]);
    ASSERT_TRUE(queue_->Gelu(call).ok());
    ExpectNear(expected, GetTyped(call.x, x.size()), std::to_string(size));
  }
}

// Texts one after the other, their tiles and ranges.
struct Batch {
  explicit Batch(const std::vector<int32_t>& lengths) {
    for (const int32_t length : lengths) {
      for (int32_t first = 0; first < length; first += static_cast<int32_t>(kTileRows)) {
        tiles.push_back({tokens, length, first});
      }
      texts.push_back({tokens, length});
      tokens += length;
    }
  }
  int32_t tokens = 0;
  std::vector<Tile> tiles;
  std::vector<TextRange> texts;
};

class GpuAttentionTest : public GpuKernelTest {
 protected:
  void ExpectRight(const Batch& batch, uint32_t heads, uint32_t head_size) {
    const size_t hidden = size_t{heads} * head_size;
    const auto tokens = static_cast<size_t>(batch.tokens);
    std::vector<float> qkv = Random(tokens * 3 * hidden, 1.5f);
    AttentionCall call;
    call.bucket = {static_cast<uint32_t>(tokens), static_cast<uint32_t>(batch.tiles.size()) + 2};
    call.sizes = PutSizes(call.bucket.tokens, static_cast<uint32_t>(batch.tiles.size()),
                          static_cast<uint32_t>(batch.texts.size()));
    call.tiles = Put(batch.tiles);
    call.heads = heads;
    call.head_size = head_size;
    call.qkv = PutTyped(&qkv);
    call.output = Device(tokens * hidden * sizeof(float));
    ASSERT_TRUE(queue_->Attend(call).ok());
    const std::vector<float> got = GetTyped(call.output, tokens * hidden);
    for (const TextRange& text : batch.texts) {
      const auto begin = static_cast<size_t>(text.begin);
      const auto length = static_cast<size_t>(text.length);
      const std::vector<double> rows(
          qkv.begin() + static_cast<std::ptrdiff_t>(begin * 3 * hidden),
          qkv.begin() + static_cast<std::ptrdiff_t>((begin + length) * 3 * hidden));
      ExpectNear(ReferenceAttention(rows, heads, head_size, 1 / std::sqrt(double{1} * head_size)),
                 {got.data() + begin * hidden, length * hidden},
                 std::to_string(length) + " tokens, " + std::to_string(heads) + " heads of " +
                     std::to_string(head_size));
    }
  }
};

TEST_P(GpuAttentionTest, EachTextAttendsToItselfAtAllLengths) {
  const Batch batch({1, 7, 33, 64, 65, 100, 128, 3, 191});
  for (const uint32_t head_size : {32u, 64u}) ExpectRight(batch, 2, head_size);
}

TEST_P(GpuAttentionTest, TheLongestTextIsRight) { ExpectRight(Batch({511, 512}), 1, 32); }

TEST_P(GpuAttentionTest, OtherHeadSizesAreRight) {
  for (const uint32_t head_size : {16u, 48u, 80u, 128u}) ExpectRight(Batch({5, 70}), 2, head_size);
}

TEST_P(GpuAttentionTest, LargeScoresDoNotOverflow) {
  std::vector<float> qkv(3 * 32 * 2);
  for (size_t i = 0; i < 32; ++i) {
    qkv[i] = qkv[32 + i] = 40;           // first token: score 40·40·32/√32 with itself
    qkv[96 + i] = -(qkv[128 + i] = 40);  // second: that with the first, but negative with itself
    qkv[64 + i] = 1;
    qkv[160 + i] = 2;
  }
  AttentionCall call;
  call.bucket = {2, 1};
  call.sizes = PutSizes(2, 1, 1);
  call.tiles = Put(std::vector<Tile>{{0, 2, 0}});
  call.heads = 1;
  call.head_size = 32;
  call.qkv = PutTyped(&qkv);
  call.output = Device(2 * 32 * sizeof(float));
  ASSERT_TRUE(queue_->Attend(call).ok());
  // Both tokens score the same against both keys, so they get the mean of the values.
  for (const float value : GetTyped(call.output, 64)) EXPECT_NEAR(value, 1.5, 0.01);
}

TEST_P(GpuKernelTest, TextsArePooledAndNormalised) {
  const Batch batch({1, 8, 300, 9});
  for (const uint32_t hidden : {64u, 384u, 1024u}) {
    std::vector<float> x = Random(static_cast<size_t>(batch.tokens) * hidden);
    for (const bool first_row : {false, true}) {
      for (const bool normalize : {true, false}) {
        PoolCall call;
        call.bucket = {static_cast<uint32_t>(batch.tokens), 8};
        call.sizes = PutSizes(call.bucket.tokens, 8, static_cast<uint32_t>(batch.texts.size()));
        call.texts = Put(batch.texts);
        call.hidden = hidden;
        call.first_row = first_row;
        call.normalize = normalize;
        call.x = PutTyped(&x);
        call.vectors = static_cast<float*>(Device(batch.texts.size() * hidden * sizeof(float)));
        ASSERT_TRUE(queue_->Pool(call).ok());
        const std::vector<float> got = Get(call.vectors, batch.texts.size() * hidden);
        for (size_t t = 0; t < batch.texts.size(); ++t) {
          const int32_t rows = first_row ? 1 : batch.texts[t].length;
          std::vector<double> expected(hidden);
          double squares = 0;
          for (size_t i = 0; i < hidden; ++i) {
            for (int32_t row = 0; row < rows; ++row) {
              expected[i] += x[static_cast<size_t>(batch.texts[t].begin + row) * hidden + i];
            }
            expected[i] /= rows;
            squares += expected[i] * expected[i];
          }
          for (size_t i = 0; normalize && i < hidden; ++i) expected[i] /= std::sqrt(squares);
          ExpectNear(expected, {got.data() + t * hidden, hidden}, "text " + std::to_string(t));
        }
      }
    }
  }
}

TEST_P(GpuKernelTest, AVectorOfZerosStaysOne) {
  std::vector<float> x(64);
  PoolCall call;
  call.bucket = {1, 1};
  call.sizes = PutSizes(1, 1, 1);
  call.texts = Put(std::vector<TextRange>{{0, 1}});
  call.hidden = 64;
  call.x = PutTyped(&x);
  call.vectors = static_cast<float*>(Device(64 * sizeof(float)));
  ASSERT_TRUE(queue_->Pool(call).ok());
  EXPECT_EQ(Get(call.vectors, 64), std::vector<float>(64));
}

TEST_P(GpuKernelTest, ProductsHaveTheirBias) {
  constexpr uint32_t kRows = 64;
  constexpr uint32_t kOutputs = 192;
  constexpr uint32_t kInputs = 128;
  std::vector<float> input = Random(kRows * kInputs, 0.2f);
  std::vector<float> weight = Random(kOutputs * kInputs, 0.2f);
  std::vector<float> bias = Random(kOutputs);
  MultiplyCall call{kRows,
                    kOutputs,
                    kInputs,
                    PutTyped(&input),
                    PutTyped(&weight),
                    nullptr,
                    Device(kRows * kOutputs * sizeof(float))};
  for (const bool with_bias : {false, true}) {
    call.bias = with_bias ? PutTyped(&bias) : nullptr;
    ASSERT_TRUE(queue_->Multiply(call).ok());
    std::vector<double> expected(kRows * kOutputs);
    for (size_t i = 0; i < expected.size(); ++i) {
      const size_t row = i / kOutputs;
      const size_t column = i % kOutputs;
      expected[i] = with_bias ? bias[column] : 0;
      for (size_t k = 0; k < kInputs; ++k) {
        expected[i] += double{input[row * kInputs + k]} * weight[column * kInputs + k];
      }
    }
    ExpectNear(expected, GetTyped(call.output, expected.size()), with_bias ? "bias" : "no bias");
  }
}

INSTANTIATE_TEST_SUITE_P(Gpus, GpuKernelTest, ::testing::ValuesIn(TestGpus()),
                         NameOfGpu<::testing::TestParamInfo<TestGpu>>);
INSTANTIATE_TEST_SUITE_P(Gpus, GpuAttentionTest, ::testing::ValuesIn(TestGpus()),
                         NameOfGpu<::testing::TestParamInfo<TestGpu>>);

}  // namespace
}  // namespace ragstone::llm::gpu

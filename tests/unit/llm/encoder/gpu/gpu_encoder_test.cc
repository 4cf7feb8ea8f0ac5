// Tests gpu_encoder.cc, gpu_weights.cc, gpu_embedder.cc and gpu_check.cc on the GPUs of
// test_gpus.h.
#include "llm/encoder/gpu/gpu_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "llm/encoder/gpu/gpu_check.h"
#include "llm/encoder/gpu/gpu_embedder.h"
#include "llm/encoder/kernel_tiers.h"
#include "tests/unit/llm/encoder/gpu/emulated_gpu.h"
#include "tests/unit/llm/encoder/gpu/test_gpus.h"
#include "tests/unit/llm/encoder/reference_bert.h"
#include "tests/unit/llm/encoder/tiny_bert.h"

namespace ragstone::llm::gpu {
namespace {

class GpuEncoderTest : public ::testing::TestWithParam<TestGpu> {
 protected:
  void SetUp() override {
    gpu_ = GetParam().open();
    if (gpu_ == nullptr) GTEST_SKIP() << "no such GPU";
  }
  double CosineMin() const { return gpu_->info().type == Type::kF32 ? 0.999999 : 0.9995; }
  std::unique_ptr<GpuEncoder> NewEncoder(std::shared_ptr<const BertModel> model) {
    auto encoder = GpuEncoder::Create(std::move(model), gpu_.get(), false);
    EXPECT_TRUE(encoder.ok()) << encoder.status().ToString();
    return std::move(*encoder);
  }
  static std::unique_ptr<GpuEncoder::Slot> NewSlot(const GpuEncoder& encoder) {
    auto slot = encoder.NewSlot({1024, 32}, Priority::kLow);
    EXPECT_TRUE(slot.ok()) << slot.status().ToString();
    return std::move(*slot);
  }
  static std::vector<float> Encode(const GpuEncoder& encoder, const TokenTexts& texts,
                                   GpuEncoder::Slot* slot) {
    const std::vector<std::span<const int32_t>> spans(texts.begin(), texts.end());
    std::vector<float> vectors(texts.size() * encoder.config().hidden);
    const Status status = encoder.Encode(spans, slot, vectors.data());
    EXPECT_TRUE(status.ok()) << status.ToString();
    return vectors;
  }
  std::shared_ptr<Gpu> gpu_;
  std::mt19937 random_{13};
};

TEST_P(GpuEncoderTest, VectorsAreThoseOfTheReference) {
  struct Shape {
    uint32_t hidden, heads;
  };
  for (const Shape shape : {Shape{64, 2}, Shape{128, 2}, Shape{192, 12}}) {
    const BertConfig config = TinyBertConfig(shape.hidden, shape.heads);
    const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 5);
    const auto encoder = NewEncoder(model);
    const auto slot = NewSlot(*encoder);
    const TokenTexts texts = RandomTexts(config, {1, 7, 33, 100}, &random_);
    const std::vector<float> vectors = Encode(*encoder, texts, slot.get());
    for (size_t t = 0; t < texts.size(); ++t) {
      EXPECT_GE(Cosine(ReferenceVector(*model, texts[t]),
                       {vectors.data() + t * config.hidden, config.hidden}),
                CosineMin())
          << texts[t].size() << " tokens, hidden " << shape.hidden;
    }
  }
}

TEST_P(GpuEncoderTest, TheFirstTokenMayStandForTheText) {
  BertConfig config = TinyBertConfig(64, 2);
  config.pooling = Pooling::kCls;
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 8);
  const auto encoder = NewEncoder(model);
  const auto slot = NewSlot(*encoder);
  const TokenTexts texts = RandomTexts(config, {21}, &random_);
  EXPECT_GE(Cosine(ReferenceVector(*model, texts[0]), Encode(*encoder, texts, slot.get())),
            CosineMin());
}

// The first batch of a bucket is queued, the second recorded, the third only launched.
TEST_P(GpuEncoderTest, RecordedWorkGivesWhatQueuedWorkGave) {
  const BertConfig config = TinyBertConfig(64, 2);
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 9);
  const auto encoder = NewEncoder(model);
  const auto slot = NewSlot(*encoder);
  const TokenTexts texts = RandomTexts(config, {40, 9, 70}, &random_);
  const TokenTexts others = RandomTexts(config, {64, 50, 3}, &random_);
  const std::vector<float> queued = Encode(*encoder, texts, slot.get());
  const std::vector<float> others_recorded = Encode(*encoder, others, slot.get());
  EXPECT_EQ(queued, Encode(*encoder, texts, slot.get()));
  EXPECT_EQ(others_recorded, Encode(*encoder, others, slot.get()));
  if (auto* emulated = dynamic_cast<EmulatedGpu*>(gpu_.get())) {
    EXPECT_EQ(emulated->graphs_launched(), 3);
  }
}

TEST_P(GpuEncoderTest, ATextHasTheSameVectorAloneAndAmongOthers) {
  const BertConfig config = TinyBertConfig(128, 4);
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 10);
  const auto encoder = NewEncoder(model);
  const auto slot = NewSlot(*encoder);
  const TokenTexts texts = RandomTexts(config, {3, 1, 96, 12, 65, 2}, &random_);
  const std::vector<float> together = Encode(*encoder, texts, slot.get());
  for (size_t t = 0; t < texts.size(); ++t) {
    const std::vector<float> alone = Encode(*encoder, {texts[t]}, slot.get());
    const std::vector<double> reference(alone.begin(), alone.end());
    EXPECT_GE(Cosine(reference, {together.data() + t * config.hidden, config.hidden}), 0.99999)
        << t;
  }
}

TEST_P(GpuEncoderTest, ManyCallersGetTheirOwnVectors) {
  const BertConfig config = TinyBertConfig(64, 2);
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 11);
  GpuEmbedderOptions options;
  options.batch_tokens = 128;
  const auto created = GpuEmbedder::Create(model, gpu_, options);
  ASSERT_TRUE(created.ok()) << created.status().ToString();
  GpuEmbedder& embedder = **created;
  const TokenTexts texts = RandomTexts(config, {5, 80, 140, 17, 40, 1, 9}, &random_);
  std::vector<std::thread> callers;
  for (size_t c = 0; c < 2; ++c) {
    callers.emplace_back([&] {
      const auto got = embedder.Embed(texts, CallContext());
      ASSERT_TRUE(got.ok()) << got.status().ToString();
      for (size_t t = 0; t < texts.size(); ++t) {
        const std::span<const float> vector{got->data() + t * config.hidden, config.hidden};
        EXPECT_GE(Cosine(ReferenceVector(*model, texts[t]), vector), CosineMin()) << t;
        double squares = 0;
        for (const float value : vector) squares += double{value} * value;
        EXPECT_NEAR(squares, 1, 1e-5);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

INSTANTIATE_TEST_SUITE_P(Gpus, GpuEncoderTest, ::testing::ValuesIn(TestGpus()),
                         NameOfGpu<::testing::TestParamInfo<TestGpu>>);

TEST(GpuEmbedderTest, SaysWhatItRunsOn) {
  const auto gpu = std::make_shared<EmulatedGpu>(Type::kBf16, true);
  const auto embedder = GpuEmbedder::Create(MakeTinyBert(TinyBertConfig(64, 2), 1), gpu, {});
  ASSERT_TRUE(embedder.ok());
  const auto info = (*embedder)->Info(CallContext());
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->device, "emulated GPU bf16");
  EXPECT_EQ(info->dimensions, 64u);
  EXPECT_EQ(info->tokens_max, 512u);
}

TEST(GpuEmbedderTest, AGpuThatComputesWhatTheCpuDoesPassesTheCheck) {
  const auto gpu = std::make_shared<EmulatedGpu>(Type::kF16, true);
  const std::shared_ptr<const BertModel> model = MakeTinyBert(TinyBertConfig(64, 2), 1);
  GpuEmbedderOptions options;
  options.batch_tokens = 512;
  options.check = *ChooseKernels("portable", "v2");
  const auto embedder = GpuEmbedder::Create(model, gpu, options);
  EXPECT_TRUE(embedder.ok()) << embedder.status().ToString();
  EXPECT_EQ(gpu->graphs_launched(), 4 * 2);  // each slot's second and third round
}

TEST(GpuEmbedderTest, AGpuThatComputesSomethingElseIsRefused) {
  const std::shared_ptr<const BertModel> model = MakeTinyBert(TinyBertConfig(64, 2), 1);
  const CpuReference reference(model, **ChooseKernels("portable", "v2"), 512);
  const SlotLimits limits{300, 8};
  const Status zeros = reference.Compare(
      [](EmbedQueue::Texts texts, float* vectors) {
        std::fill_n(vectors, texts.size() * 64, 0.0f);
        return OkStatus();
      },
      limits);
  EXPECT_EQ(zeros.code(), StatusCode::kUnavailable);
  int calls = 0;
  const Status ones = reference.Compare(
      [&calls](EmbedQueue::Texts texts, float* vectors) {
        ++calls;
        std::fill_n(vectors, texts.size() * 64, 1.0f);
        return OkStatus();
      },
      limits);
  EXPECT_EQ(ones.code(), StatusCode::kUnavailable);
  EXPECT_NE(ones.message().find("cosine"), std::string::npos) << ones.message();
  EXPECT_EQ(calls, 1);
}

TEST(GpuEncoderFaultTest, WorkThatFailedWhileItWasRecordedIsNotReplayed) {
  const BertConfig config = TinyBertConfig(64, 2);
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 9);
  EmulatedGpu gpu(Type::kF32, false);
  const auto encoder = GpuEncoder::Create(model, &gpu, false);
  ASSERT_TRUE(encoder.ok());
  const auto slot = (*encoder)->NewSlot({256, 4}, Priority::kLow);
  ASSERT_TRUE(slot.ok());
  std::mt19937 random(13);
  const TokenTexts texts = RandomTexts(config, {40, 9, 70}, &random);
  const std::vector<std::span<const int32_t>> spans(texts.begin(), texts.end());
  std::vector<float> first(3 * 64);
  ASSERT_TRUE((*encoder)->Encode(spans, slot->get(), first.data()).ok());
  gpu.FailAfter(5);
  std::vector<float> second(3 * 64);
  EXPECT_FALSE((*encoder)->Encode(spans, slot->get(), second.data()).ok());
  gpu.FailAfter(1 << 30);
  for (int i = 0; i < 2; ++i) {
    const Status status = (*encoder)->Encode(spans, slot->get(), second.data());
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(first, second);
  }
}

TEST(GpuEmbedderTest, AFaultOfTheDeviceIsUnavailable) {
  const auto gpu = std::make_shared<EmulatedGpu>(Type::kF32, false);
  const auto embedder = GpuEmbedder::Create(MakeTinyBert(TinyBertConfig(64, 2), 1), gpu, {});
  ASSERT_TRUE(embedder.ok());
  gpu->FailAfter(3);
  const auto got = (*embedder)->Embed(TokenTexts{{1, 2, 3}}, CallContext());
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.status().code(), StatusCode::kUnavailable);
}

TEST(GpuEmbedderTest, TextsOutsideTheModelAreRefused) {
  const auto gpu = std::make_shared<EmulatedGpu>(Type::kF32, false);
  const auto embedder = GpuEmbedder::Create(MakeTinyBert(TinyBertConfig(64, 2), 1), gpu, {});
  ASSERT_TRUE(embedder.ok());
  const auto got = (*embedder)->Embed(TokenTexts{{1, 1 << 30}}, CallContext());
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.status().code(), StatusCode::kInvalidArgument);
}

// The matrices of a tiny model, to be damaged.
std::shared_ptr<BertModel> Damaged(float value) {
  std::shared_ptr<BertModel> model = MakeTinyBert(TinyBertConfig(64, 2), 1);
  static std::vector<float> bad;
  FloatMatrix& matrix = model->layers[0].up.weight;
  bad.assign(size_t{matrix.rows} * matrix.columns, 0.01f);
  bad[77] = value;
  matrix.type = FloatType::kF32;
  matrix.values = bad.data();
  return model;
}

TEST(GpuEmbedderTest, WeightsThatAreNoNumbersAreRefused) {
  for (const Type type : {Type::kF32, Type::kF16, Type::kBf16}) {
    EmulatedGpu gpu(type, false);
    const auto encoder =
        GpuEncoder::Create(Damaged(std::numeric_limits<float>::quiet_NaN()), &gpu, true);
    ASSERT_FALSE(encoder.ok());
    EXPECT_EQ(encoder.status().reason(), Reason::kModelCorrupt);
  }
}

TEST(GpuEmbedderTest, WeightsBeyondHalfPrecisionAreRefusedThere) {
  EmulatedGpu turing(Type::kF16, false);
  EXPECT_FALSE(GpuEncoder::Create(Damaged(1e6f), &turing, true).ok());
  EmulatedGpu ampere(Type::kBf16, false);
  EXPECT_TRUE(GpuEncoder::Create(Damaged(1e6f), &ampere, true).ok());
}

}  // namespace
}  // namespace ragstone::llm::gpu

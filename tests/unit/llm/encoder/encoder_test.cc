// Tests encoder.cc and encoder_embedder.cc with every set of kernels that this processor runs, and
// with those that are emulated.
#include "llm/encoder/encoder.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "llm/encoder/encoder_embedder.h"
#include "llm/encoder/kernel_tiers.h"
#include "tests/unit/llm/encoder/emulated_amx.h"
#include "tests/unit/llm/encoder/reference_bert.h"
#include "tests/unit/llm/encoder/tiny_bert.h"

namespace ragstone::llm {
namespace {

class EncoderTest : public ::testing::TestWithParam<KernelTier> {
 protected:
  void SetUp() override {
    if (!GetParam().missing.empty()) {
      GTEST_SKIP() << "this processor lacks " << GetParam().missing.front();
    }
  }
  const Kernels& kernels() const { return *GetParam().kernels; }
  double CosineMin() const {
    return kernels().product == ProductType::kF32    ? 0.999999
           : kernels().product == ProductType::kBf16 ? 0.9995
                                                     : 0.995;
  }
  static std::vector<float> Encode(const Encoder& encoder, const TokenTexts& texts,
                                   Encoder::Workspace* workspace) {
    const std::vector<std::span<const int32_t>> spans(texts.begin(), texts.end());
    std::vector<float> vectors(texts.size() * encoder.model().config.hidden);
    encoder.Encode(spans, workspace, vectors.data());
    return vectors;
  }
  std::mt19937 random_{7};
};

TEST_P(EncoderTest, VectorsAreThoseOfTheReference) {
  struct Shape {
    uint32_t hidden, heads;
  };
  for (const Shape shape : {Shape{64, 2}, Shape{128, 2}, Shape{192, 12}}) {
    const BertConfig config = TinyBertConfig(shape.hidden, shape.heads);
    const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 5);
    const Encoder encoder(model, kernels());
    Encoder::Workspace workspace(encoder, 512);
    for (const size_t length : {1, 7, 33, 100}) {
      const TokenTexts texts = RandomTexts(config, {length}, &random_);
      const std::vector<float> vector = Encode(encoder, texts, &workspace);
      EXPECT_GE(Cosine(ReferenceVector(*model, texts[0]), vector), CosineMin())
          << length << " tokens, hidden " << shape.hidden;
    }
  }
}

TEST_P(EncoderTest, TheLongestTextIsRight) {
  const BertConfig config = TinyBertConfig(64, 2);
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 6);
  const Encoder encoder(model, kernels());
  Encoder::Workspace workspace(encoder, 512);
  for (const size_t length : {511, 512}) {
    const TokenTexts texts = RandomTexts(config, {length}, &random_);
    const std::vector<float> vector = Encode(encoder, texts, &workspace);
    EXPECT_GE(Cosine(ReferenceVector(*model, texts[0]), vector), CosineMin()) << length;
  }
}

TEST_P(EncoderTest, TheFirstTokenMayStandForTheText) {
  BertConfig config = TinyBertConfig(64, 2);
  config.pooling = Pooling::kCls;
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 8);
  const Encoder encoder(model, kernels());
  Encoder::Workspace workspace(encoder, 64);
  const TokenTexts texts = RandomTexts(config, {21}, &random_);
  const std::vector<float> vector = Encode(encoder, texts, &workspace);
  EXPECT_GE(Cosine(ReferenceVector(*model, texts[0]), vector), CosineMin());
}

TEST_P(EncoderTest, ATextHasTheSameBitsAloneAndAmongOthers) {
  const BertConfig config = TinyBertConfig(128, 4);
  const std::shared_ptr<const BertModel> model = MakeTinyBert(config, 9);
  const Encoder encoder(model, kernels());
  Encoder::Workspace workspace(encoder, 512);
  const TokenTexts texts = RandomTexts(config, {3, 1, 96, 12, 47, 13, 100, 2, 64, 95}, &random_);
  const std::vector<float> together = Encode(encoder, texts, &workspace);
  for (size_t t = 0; t < texts.size(); ++t) {
    const std::vector<float> alone = Encode(encoder, {texts[t]}, &workspace);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                           together.begin() + static_cast<std::ptrdiff_t>(t * config.hidden)))
        << t;
  }
}

TEST_P(EncoderTest, ManyCallersGetTheirOwnVectors) {
  const BertConfig config = TinyBertConfig(64, 2);
  EncoderEmbedderOptions options;
  options.threads = 3;
  const auto created = EncoderEmbedder::Create(MakeTinyBert(config, 10), kernels(), options);
  ASSERT_TRUE(created.ok());
  EncoderEmbedder& embedder = **created;
  const TokenTexts texts = RandomTexts(config, {5, 80, 300, 17, 40, 1, 9, 120}, &random_);
  const auto expected = embedder.Embed(texts, CallContext());
  ASSERT_TRUE(expected.ok()) << expected.status().ToString();
  std::vector<std::thread> callers;
  for (size_t c = 0; c < 8; ++c) {
    callers.emplace_back([&, c] {
      for (int round = 0; round < 10; ++round) {
        const auto got = embedder.Embed({&texts[c], 1}, CallContext());
        ASSERT_TRUE(got.ok());
        EXPECT_TRUE(std::equal(got->begin(), got->end(),
                               expected->begin() + static_cast<std::ptrdiff_t>(c * config.hidden)));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

INSTANTIATE_TEST_SUITE_P(AllTiers, EncoderTest, ::testing::ValuesIn(TestedTiers()),
                         [](const auto& info) {
                           std::string name = info.param.kernels->tier;
                           std::erase(name, '-');
                           return name;
                         });

TEST(EncoderEmbedderTest, VectorsHaveLengthOneAndTextsHaveLimits) {
  const BertConfig config = TinyBertConfig();
  EncoderEmbedderOptions options;
  options.tokens_max = 8;
  options.threads = 1;
  const auto created =
      EncoderEmbedder::Create(MakeTinyBert(config, 11), PortableKernels(), options);
  ASSERT_TRUE(created.ok());
  EncoderEmbedder& embedder = **created;
  const auto info = embedder.Info(CallContext());
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->dimensions, config.hidden);
  EXPECT_EQ(info->tokens_max, 8u);
  EXPECT_EQ(info->device, "CPU portable");
  const auto vector = embedder.Embed(TokenTexts{{1, 2, 3}}, CallContext());
  ASSERT_TRUE(vector.ok());
  double squares = 0;
  for (const float value : *vector) squares += double{value} * value;
  EXPECT_NEAR(squares, 1, 1e-5);
  const TokenTexts too_long{std::vector<int32_t>(9, 1)};
  EXPECT_EQ(embedder.Embed(too_long, CallContext()).status().reason(), Reason::kQueryTooLong);
  EXPECT_EQ(embedder.Embed(TokenTexts{{}}, CallContext()).status().reason(),
            Reason::kInvalidArgument);
  const TokenTexts unknown{{static_cast<int32_t>(config.vocabulary)}};
  EXPECT_EQ(embedder.Embed(unknown, CallContext()).status().reason(), Reason::kInvalidArgument);
}

TEST(EncoderEmbedderTest, WeightsThatAreNoNumbersAreRefused) {
  const std::shared_ptr<BertModel> model = MakeTinyBert(TinyBertConfig(), 13);
  FloatMatrix& weight = model->layers[1].down.weight;
  std::vector<float> values(size_t{weight.rows} * weight.columns, 0.5f);
  values[17] = std::numeric_limits<float>::quiet_NaN();
  weight.values = values.data();
  const auto created = EncoderEmbedder::Create(model, PortableKernels(), {});
  EXPECT_EQ(created.status().reason(), Reason::kModelCorrupt);
  EXPECT_NE(created.status().message().find("layer 1"), std::string::npos);
}

TEST(EncoderEmbedderTest, VectorsMayKeepTheirLength) {
  EncoderEmbedderOptions options;
  options.normalize = false;
  options.threads = 1;
  const std::shared_ptr<const BertModel> model = MakeTinyBert(TinyBertConfig(), 12);
  const auto created = EncoderEmbedder::Create(model, PortableKernels(), options);
  ASSERT_TRUE(created.ok());
  EncoderEmbedder& embedder = **created;
  const std::vector<int32_t> text{4, 5, 6, 7};
  const auto vector = embedder.Embed({&text, 1}, CallContext());
  ASSERT_TRUE(vector.ok());
  const std::vector<double> expected = ReferenceVector(*model, text);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR((*vector)[i], expected[i], 1e-4);
}

}  // namespace
}  // namespace ragstone::llm

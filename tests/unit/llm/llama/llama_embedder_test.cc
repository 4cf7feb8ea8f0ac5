// Tests llama_embedder.cc on a tiny BERT, and with it bert_to_gguf.cc and runtime.cc.
#include "llm/llama/llama_embedder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "llm/llama/bert_to_gguf.h"
#include "tests/testing/temp_folder.h"
#include "tests/unit/llm/llama/tiny_models.h"

namespace ragstone::llm {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

Texts RandomTexts(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Texts texts(count);
  for (std::vector<int32_t>& text : texts) {
    text.resize(1 + random() % kTinyLimit);
    for (int32_t& id : text) id = static_cast<int32_t>(random() % kTinyVocabulary);
  }
  return texts;
}

class LlamaEmbedderTest : public ::testing::Test {
 protected:
  LlamaEmbedderTest() {
    WriteTinyBert(folder_.path(), 7);
    const Result<SentenceTransformer> model = ReadSentenceTransformer(folder_.path());
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    const Status written = WriteBertGguf(folder_.path(), *model, file_);
    EXPECT_TRUE(written.ok()) << written.ToString();
  }
  std::unique_ptr<LlamaEmbedder> Load(LlamaEmbedderOptions options = {}) {
    if (options.tokens_max == 0) options.tokens_max = kTinyLimit;
    if (options.threads == 0) options.threads = 2;
    Result<std::unique_ptr<LlamaEmbedder>> embedder = LlamaEmbedder::Load(file_, options);
    EXPECT_TRUE(embedder.ok()) << embedder.status().ToString();
    return std::move(embedder).value();
  }

  testing::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "model.gguf";
};

TEST_F(LlamaEmbedderTest, VectorsAreThoseOfTheOriginalWeights) {
  const auto embedder = Load();
  const Texts texts = RandomTexts(40, 1);
  const Result<std::vector<float>> vectors = embedder->Embed(texts, CallContext());
  ASSERT_TRUE(vectors.ok()) << vectors.status().ToString();
  ASSERT_EQ(vectors->size(), texts.size() * kTinyHidden);
  for (size_t t = 0; t < texts.size(); ++t) {
    const std::vector<double> expected = TinyBertVector(folder_.path(), texts[t]);
    double cosine = 0, squares = 0;
    for (size_t i = 0; i < kTinyHidden; ++i) {
      cosine += (*vectors)[t * kTinyHidden + i] * expected[i];
      squares += double{(*vectors)[t * kTinyHidden + i]} * (*vectors)[t * kTinyHidden + i];
    }
    EXPECT_GT(cosine, 0.9999) << t;
    EXPECT_NEAR(squares, 1, 1e-5);
  }
}

TEST_F(LlamaEmbedderTest, ATextHasTheSameVectorAloneAndAmongOthers) {
  const auto embedder = Load();
  const Texts texts = RandomTexts(60, 2);
  const std::vector<float> together = *embedder->Embed(texts, CallContext());
  for (size_t t = 0; t < texts.size(); ++t) {
    const std::vector<float> alone = *embedder->Embed({&texts[t], 1}, CallContext());
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + t * kTinyHidden)) << t;
  }
}

TEST_F(LlamaEmbedderTest, ManyCallersGetTheirOwnVectors) {
  const auto embedder = Load();
  std::vector<std::thread> threads;
  for (uint32_t caller = 0; caller < 8; ++caller) {
    threads.emplace_back([&embedder, caller] {
      const Texts texts = RandomTexts(caller % 2 == 0 ? 1 : 50, 100 + caller);
      const Result<std::vector<float>> first = embedder->Embed(texts, CallContext());
      const Result<std::vector<float>> second = embedder->Embed(texts, CallContext());
      ASSERT_TRUE(first.ok() && second.ok());
      EXPECT_EQ(*first, *second);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(LlamaEmbedderTest, TextsThatLlamaWouldAbortOnAreRefused) {
  const auto embedder = Load();
  const std::pair<std::vector<int32_t>, Reason> wrong[] = {
      {{}, Reason::kInvalidArgument},
      {std::vector<int32_t>(kTinyLimit + 1, 5), Reason::kQueryTooLong},
      {{-1}, Reason::kInvalidArgument},
      {{static_cast<int32_t>(kTinyVocabulary)}, Reason::kInvalidArgument},
  };
  for (const auto& [text, reason] : wrong) {
    const Texts texts = {{1, 2}, text};
    const Status status = embedder->Embed(texts, CallContext()).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.reason(), reason) << status.message();
    EXPECT_NE(status.message().find("text 1"), std::string::npos) << status.message();
  }
  EXPECT_TRUE(embedder->Embed(Texts(), CallContext())->empty());
}

TEST_F(LlamaEmbedderTest, ACancelledCallEndsAndTheNextOneWorks) {
  const auto embedder = Load();
  const auto flag = std::make_shared<CancelFlag>();
  flag->Cancel();
  const CallContext cancelled(CallContext::TimePoint::max(), flag);
  const Texts texts = RandomTexts(20, 3);
  EXPECT_EQ(embedder->Embed(texts, cancelled).status().code(), StatusCode::kCancelled);
  EXPECT_TRUE(embedder->Embed(texts, CallContext()).ok());
}

TEST_F(LlamaEmbedderTest, TheLimitIsNeverBeyondThePositionsOfTheModel) {
  LlamaEmbedderOptions options;
  options.tokens_max = 100000;
  const auto embedder = Load(options);
  const EmbedderInfo info = *embedder->Info(CallContext());
  EXPECT_EQ(info.tokens_max, kTinyPositions);
  EXPECT_EQ(info.dimensions, kTinyHidden);
  EXPECT_EQ(info.vocabulary, kTinyVocabulary);
  const Texts longest = {std::vector<int32_t>(kTinyPositions, 9)};
  EXPECT_TRUE(embedder->Embed(longest, CallContext()).ok());
}

TEST_F(LlamaEmbedderTest, ADamagedFileAndAnUnknownPoolingAreRefused) {
  LlamaEmbedderOptions options;
  options.pooling = "max";
  EXPECT_EQ(LlamaEmbedder::Load(file_, options).status().reason(), Reason::kModelUnsupported);
  std::filesystem::resize_file(file_, 5000);
  EXPECT_EQ(LlamaEmbedder::Load(file_, {}).status().reason(), Reason::kModelCorrupt);
}

TEST_F(LlamaEmbedderTest, WeightsThatContradictTheConfigurationAreNotConverted) {
  SentenceTransformer model = *ReadSentenceTransformer(folder_.path());
  model.layers = 2;
  Status status = WriteBertGguf(folder_.path(), model, file_);
  EXPECT_EQ(status.reason(), Reason::kModelCorrupt);
  EXPECT_NE(status.message().find("encoder.layer.1"), std::string::npos) << status.message();
  model.layers = 1;
  model.intermediate = 128;
  status = WriteBertGguf(folder_.path(), model, file_);
  EXPECT_EQ(status.reason(), Reason::kModelCorrupt);
  EXPECT_NE(status.message().find("shape"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace ragstone::llm

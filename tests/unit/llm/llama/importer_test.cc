// Tests importer.cc on tiny models, and with it retype_embedder.cc, retype_generator.cc,
// retype_file.cc and probe_texts.cc.
#include "llm/llama/importer.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "llm/encoder/encoder_embedder.h"
#include "llm/encoder/kernel_tiers.h"
#include "llm/llama/llama_embedder.h"
#include "llm/llama/probe_texts.h"
#include "llm/tokenizer.h"
#include "tests/testing/temp_folder.h"
#include "tests/unit/llm/encoder/reference_bert.h"
#include "tests/unit/llm/encoder/tiny_bert.h"
#include "tests/unit/llm/llama/tiny_models.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

class ImporterTest : public ::testing::Test {
 protected:
  ImporterTest() {
    fs::create_directories(output_);
    WriteTinyBert(folder_.path() / "bert", 7);
    WriteTinyLlama(folder_.path() / "tiny.gguf", 3, 1024);
  }
  Result<ImportResult> Import(const fs::path& source, bool retype) {
    ImportOptions options;
    options.source = source;
    options.output_dir = output_;
    options.retype = retype;
    options.int8 = int8_;
    options.threads = 1;
    const auto progress = [this](const std::string& text) {
      progress_ += text + "\n";
      return OkStatus();
    };
    return ImportModel(options, progress, CallContext());
  }
  // Files beside the model that the import must not leave.
  size_t FilesLeft() const {
    size_t files = 0;
    for (const auto& entry : fs::directory_iterator(output_)) {
      files += entry.path().filename().string().starts_with("candidate-") ? 1 : 0;
    }
    return files;
  }

  testing::TempFolder folder_;
  fs::path output_ = folder_.path() / "out";
  std::string progress_;
  bool int8_ = false;
};

TEST_F(ImporterTest, EightBitsAreForModelsOfOurEncoder) {
  int8_ = true;
  const Result<ImportResult> result = Import(folder_.path() / "bert", true);
  EXPECT_EQ(result.status().reason(), Reason::kModelUnsupported) << result.status().ToString();
}

TEST_F(ImporterTest, AFolderBecomesAnEmbeddingModel) {
  const Result<ImportResult> result = Import(folder_.path() / "bert", false);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->kind, "embedding");
  EXPECT_EQ(result->architecture, "bert");
  EXPECT_EQ(result->storage_type, "F32");
  EXPECT_EQ(result->dimensions, kTinyHidden);
  EXPECT_EQ(result->context_tokens, kTinyLimit);
  EXPECT_EQ(result->pooling, "mean");
  EXPECT_TRUE(result->normalize);
  EXPECT_GT(result->parameters, 0u);
  EXPECT_EQ(*ReadFile(output_ / "tokenizer.json"),
            *ReadFile(folder_.path() / "bert" / "tokenizer.json"));
  EXPECT_NE(progress_.find("converting"), std::string::npos);
}

TEST_F(ImporterTest, ARetypedEmbedderStillGivesTheVectorsOfTheOriginal) {
  const Result<ImportResult> result = Import(folder_.path() / "bert", true);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  // One line for each type and one for the choice.
  EXPECT_EQ(result->measurements.size(), 5u);
  EXPECT_EQ(FilesLeft(), 0u);
  const auto embedder = LlamaEmbedder::Load(output_ / "model.gguf", {});
  ASSERT_TRUE(embedder.ok()) << embedder.status().ToString();
  const std::vector<std::vector<int32_t>> texts = {{2, 5, 9, 31, 3}};
  const std::vector<float> vector = *(*embedder)->Embed(texts, CallContext());
  const std::vector<double> expected = TinyBertVector(folder_.path() / "bert", texts[0]);
  double cosine = 0;
  for (size_t i = 0; i < kTinyHidden; ++i) cosine += vector[i] * expected[i];
  EXPECT_GT(cosine, 0.999);
}

// Positions that begin at 2, one token type, a Unigram tokeniser: what llama.cpp and our encoder
// make of the imported file, beside the definition of BERT in double.
TEST_F(ImporterTest, AnXlmRobertaFolderGivesTheSameVectorsWithBothEngines) {
  BertConfig config = TinyBertConfig();
  config.token_types = 1;
  const auto source = MakeTinyBert(config, 11);
  WriteTinyXlmRobertaFolder(*source, FloatType::kF32, folder_.path() / "xlmr");
  const Result<ImportResult> result = Import(folder_.path() / "xlmr", true);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->kind, "embedding");
  EXPECT_EQ(result->context_tokens, config.positions);
  EXPECT_EQ(result->storage_type, "F32");
  const auto tokenizer = LoadTokenizer(output_);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  const std::vector<std::vector<int32_t>> texts = {
      (*tokenizer)->Encode("cab adz"), (*tokenizer)->Encode("e e e e e e e e e e abcdeabcdeab")};
  ASSERT_EQ(texts[1].size(), config.positions);

  LlamaEmbedderOptions options;
  options.pooling = "mean";
  options.threads = 1;
  const auto llama = LlamaEmbedder::Load(output_ / "model.gguf", options);
  ASSERT_TRUE(llama.ok()) << llama.status().ToString();
  const auto theirs = (*llama)->Embed(texts, CallContext());
  ASSERT_TRUE(theirs.ok()) << theirs.status().ToString();
  auto model = BertModel::Load(output_ / "model.gguf");
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  const auto encoder = EncoderEmbedder::Create(std::move(*model), PortableKernels(), {});
  ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
  const auto ours = (*encoder)->Embed(texts, CallContext());
  ASSERT_TRUE(ours.ok()) << ours.status().ToString();
  for (size_t t = 0; t < texts.size(); ++t) {
    const std::vector<double> wanted = ReferenceVector(*source, texts[t]);
    const std::span<const float> span(ours->data() + t * config.hidden, config.hidden);
    EXPECT_GE(Cosine(wanted, span), 0.999999) << t;
    EXPECT_GE(Cosine(wanted, {theirs->data() + t * config.hidden, config.hidden}), 0.9999) << t;
  }
}

TEST_F(ImporterTest, AGgufFileWhosePositionsAreOffIsRefused) {
  BertConfig config = TinyBertConfig();
  config.token_types = 1;
  config.positions = 514;
  TinyGguf gguf = TinyGgufOf(*MakeTinyBert(config, 5), FloatType::kF32);
  gguf.SetText("tokenizer.ggml.model", "t5");
  std::ofstream(folder_.path() / "xlmr.gguf", std::ios::binary) << gguf.Bytes();
  const Status status = Import(folder_.path() / "xlmr.gguf", true).status();
  EXPECT_EQ(status.reason(), Reason::kModelCorrupt);
  EXPECT_NE(status.message().find("bert.context_length is 514"), std::string::npos)
      << status.message();
}

TEST_F(ImporterTest, AGgufFileBecomesAGenerator) {
  const Result<ImportResult> result = Import(folder_.path() / "tiny.gguf", true);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->kind, "generator");
  EXPECT_EQ(result->architecture, "llama");
  EXPECT_EQ(result->license, "test");
  EXPECT_EQ(result->context_tokens, 1024u);
  EXPECT_TRUE(result->pooling.empty());
  EXPECT_GE(result->measurements.size(), 3u);
  EXPECT_EQ(FilesLeft(), 0u);
}

TEST_F(ImporterTest, AnEmbedderAsGgufNeedsItsTokenizerBesideIt) {
  ASSERT_TRUE(Import(folder_.path() / "bert", false).ok());
  const fs::path gguf = folder_.path() / "alone.gguf";
  fs::rename(output_ / "model.gguf", gguf);
  EXPECT_EQ(Import(gguf, false).status().reason(), Reason::kModelUnsupported);
  fs::copy_file(folder_.path() / "bert" / "tokenizer.json", folder_.path() / "tokenizer.json");
  const Result<ImportResult> result = Import(gguf, false);
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->kind, "embedding");
  EXPECT_EQ(result->pooling, "mean");
}

TEST_F(ImporterTest, WrongSourcesAreRefusedWithAReason) {
  EXPECT_EQ(Import(folder_.path() / "none", true).status().reason(), Reason::kFileNotFound);
  std::ofstream(folder_.path() / "text.gguf") << "this is a text, not a model";
  EXPECT_EQ(Import(folder_.path() / "text.gguf", true).status().reason(), Reason::kModelCorrupt);
  std::ofstream(folder_.path() / "empty.gguf").flush();
  EXPECT_EQ(Import(folder_.path() / "empty.gguf", true).status().reason(), Reason::kEmptyFile);
  fs::resize_file(folder_.path() / "tiny.gguf", 20000);
  EXPECT_EQ(Import(folder_.path() / "tiny.gguf", true).status().reason(), Reason::kModelCorrupt);
  fs::remove(folder_.path() / "bert" / "model.safetensors");
  EXPECT_EQ(Import(folder_.path() / "bert", true).status().code(), StatusCode::kNotFound);
  fs::remove(folder_.path() / "bert" / "config.json");
  EXPECT_EQ(Import(folder_.path() / "bert", true).status().reason(), Reason::kFileNotFound);
}

TEST_F(ImporterTest, CancellingEndsTheImport) {
  ImportOptions options;
  options.source = folder_.path() / "bert";
  options.output_dir = output_;
  const auto stop = [](const std::string&) {
    return Status(StatusCode::kCancelled, Reason::kCancelled, "gone");
  };
  EXPECT_EQ(ImportModel(options, stop, CallContext()).status().code(), StatusCode::kCancelled);
}

TEST(ProbeTextsTest, ThereAreEnoughOfThemAndNoneTwice) {
  std::vector<std::string_view> probes = EmbeddingProbes();
  EXPECT_GE(probes.size(), 32u);
  std::sort(probes.begin(), probes.end());
  EXPECT_EQ(std::adjacent_find(probes.begin(), probes.end()), probes.end());
  EXPECT_GT(GenerationProbe().size(), 1500u);
}

}  // namespace
}  // namespace ragstone::llm

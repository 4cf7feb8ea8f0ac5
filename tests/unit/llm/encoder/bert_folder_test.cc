// Tests bert_model.cc on sentence-transformers folders.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <utility>

#include "base/file.h"
#include "llm/encoder/bert_model.h"
#include "llm/encoder/encoder.h"
#include "llm/sentence_transformer.h"
#include "llm/tokenizer.h"
#include "tests/testing/temp_folder.h"
#include "tests/unit/llm/encoder/model_checks.h"
#include "tests/unit/llm/encoder/reference_bert.h"
#include "tests/unit/llm/encoder/tiny_bert.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

class BertFolderTest : public ::testing::Test {
 protected:
  // The status of loading the good folder after a change of its model.safetensors.
  Status LoadChangedFolder(const std::function<void(std::string*)>& change) const {
    WriteTinyBertFolder(*model_, FloatType::kF32, folder_.path());
    std::string bytes = *ReadFile(folder_.path() / "model.safetensors");
    change(&bytes);
    std::ofstream(folder_.path() / "model.safetensors", std::ios::binary) << bytes;
    return BertModel::LoadSafetensors(folder_.path()).status();
  }

  testing::TempFolder folder_;
  const std::unique_ptr<BertModel> model_ = MakeTinyBert(TinyBertConfig(), 1);
};

// Replaces a text by one of the same length.
void Replace(std::string* bytes, const std::string& from, const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  const size_t at = bytes->find(from);
  ASSERT_NE(at, std::string::npos) << from;
  bytes->replace(at, from.size(), to);
}

TEST_F(BertFolderTest, FoldersOfEachTypeAreRead) {
  for (const FloatType type : kFloatTypes) {
    WriteTinyBertFolder(*model_, type, folder_.path());
    const auto loaded = BertModel::LoadSafetensors(folder_.path());
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    const std::unique_ptr<BertModel> wanted = RoundedTo(*model_, type);
    ASSERT_EQ(MatricesOf(**loaded).size(), MatricesOf(*wanted).size());
    for (size_t i = 0; i < MatricesOf(*wanted).size(); ++i) {
      EXPECT_EQ(ValuesOf(*MatricesOf(**loaded)[i]), ValuesOf(*MatricesOf(*wanted)[i])) << i;
    }
    std::vector<std::vector<float>> vectors = VectorsOf(*wanted);
    for (std::vector<float>& vector : vectors) {
      for (float& value : vector) value = RoundTo(value, type);
    }
    EXPECT_EQ(VectorsOf(**loaded), vectors);
    if (type == FloatType::kF32) ExpectSame(**loaded, *model_);
  }
}

TEST_F(BertFolderTest, WrongFoldersAreRefusedWithAReason) {
  const auto replaced = [this](const std::string& from, const std::string& to) {
    return LoadChangedFolder([&](std::string* bytes) { Replace(bytes, from, to); });
  };
  EXPECT_TRUE(LoadChangedFolder([](std::string*) {}).ok());
  ExpectError(replaced("encoder.layer.1.output.dense.bias", "encoder.layer.1.output.dense.bi_s"),
              Reason::kModelUnsupported, "encoder.layer.1.output.dense.bi_s");
  ExpectError(replaced("encoder.layer.1.output.dense.bias", "classif.layer.1.output.dense.bias"),
              Reason::kModelUnsupported, "without the tensor encoder.layer.1.output.dense.bias");
  ExpectError(replaced("embeddings.LayerNorm.bias", "cls_layers.LayerNorm.bias"),
              Reason::kModelCorrupt, "embeddings.LayerNorm.bias is missing");
  ExpectError(replaced("\"F32\",\"shape\":[24,64]", "\"I32\",\"shape\":[24,64]"),
              Reason::kModelUnsupported, "embeddings.position_embeddings.weight has the type I32");
  ExpectError(replaced("\"shape\":[24,64]", "\"shape\":[64,24]"), Reason::kModelCorrupt,
              "embeddings.position_embeddings.weight is 64 × 24");
  ExpectError(LoadChangedFolder([](std::string* bytes) { bytes->resize(4096); }),
              Reason::kModelCorrupt, "model.safetensors");
  WriteTinyBertFolder(*model_, FloatType::kF32, folder_.path());
  std::string config = *ReadFile(folder_.path() / "config.json");
  Replace(&config, "\"gelu\"", "\"relu\"");
  std::ofstream(folder_.path() / "config.json") << config;
  ExpectError(BertModel::LoadSafetensors(folder_.path()).status(), Reason::kModelUnsupported,
              "hidden_act");
}

// Inserts bytes into the header of a safetensors file.
void InsertIntoHeader(std::string* bytes, size_t at, const std::string& text) {
  uint64_t size = 0;
  std::memcpy(&size, bytes->data(), sizeof(size));
  size += text.size();
  std::memcpy(bytes->data(), &size, sizeof(size));
  bytes->insert(8 + at, text);
}

TEST_F(BertFolderTest, NamesOfOtherExportsAreUnderstood) {
  const auto prefixed = [](std::string* bytes) {
    for (size_t at = 0; (at = bytes->find("\"embeddings.", at)) != std::string::npos; at += 10) {
      InsertIntoHeader(bytes, at + 1 - 8, "bert.");
    }
  };
  EXPECT_TRUE(LoadChangedFolder(prefixed).ok());
  const auto loaded = BertModel::LoadSafetensors(folder_.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  ExpectSame(**loaded, *model_);
  const char kTwice[] =
      R"("bert.embeddings.LayerNorm.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)";
  ExpectError(LoadChangedFolder([&](std::string* bytes) { InsertIntoHeader(bytes, 1, kTwice); }),
              Reason::kModelCorrupt, "embeddings.LayerNorm.bias comes with and without");
  const char kForeign[] =
      R"("pooler.dense.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
      R"("embeddings.position_ids":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},)";
  EXPECT_TRUE(
      LoadChangedFolder([&](std::string* bytes) { InsertIntoHeader(bytes, 1, kForeign); }).ok());
}

TEST_F(BertFolderTest, TensorsThatAreNotAlignedAreCopied) {
  const auto shifted = [](std::string* bytes) { InsertIntoHeader(bytes, 1, " "); };
  ASSERT_TRUE(LoadChangedFolder(shifted).ok());
  const auto loaded = BertModel::LoadSafetensors(folder_.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  ExpectSame(**loaded, *model_);
  for (const FloatMatrix* matrix : MatricesOf(**loaded)) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix->values) % alignof(float), 0u);
  }
}

BertConfig TinyXlmRobertaConfig() {
  BertConfig config = TinyBertConfig();
  config.token_types = 1;
  config.norm_epsilon = 1e-5f;
  return config;
}

TEST_F(BertFolderTest, XlmRobertasPositionsBeginBehindTheRowsThatNoTextReads) {
  const auto model = MakeTinyBert(TinyXlmRobertaConfig(), 17);
  for (const FloatType type : kFloatTypes) {
    WriteTinyXlmRobertaFolder(*model, type, folder_.path());
    const auto facts = ReadSentenceTransformer(folder_.path());
    ASSERT_TRUE(facts.ok()) << facts.status().ToString();
    EXPECT_EQ(facts->first_position, 2u);
    EXPECT_EQ(facts->positions, model->config.positions + 2);
    EXPECT_EQ(facts->tokens_max, model->config.positions);
    const auto loaded = BertModel::LoadSafetensors(folder_.path());
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_EQ((*loaded)->config.positions, model->config.positions);
    EXPECT_EQ(ValuesOf((*loaded)->position_embeddings),
              ValuesOf(RoundedTo(*model, type)->position_embeddings));
  }
}

// From the text to the vector, with a reference in double that knows nothing of the folder.
TEST_F(BertFolderTest, XlmRobertasTextsHaveTheVectorsOfTheReference) {
  const auto model = MakeTinyBert(TinyXlmRobertaConfig(), 18);
  WriteTinyXlmRobertaFolder(*model, FloatType::kF32, folder_.path());
  const auto tokenizer = LoadTokenizer(folder_.path());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  Result<std::unique_ptr<BertModel>> loaded = BertModel::LoadSafetensors(folder_.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  const Encoder encoder(std::shared_ptr<const BertModel>(std::move(*loaded)), PortableKernels());
  Encoder::Workspace workspace(encoder, model->config.positions);
  // "▁c", "a", "b", "▁a", "d", an unknown, ...
  EXPECT_EQ((*tokenizer)->Encode("cab adz"), (std::vector<int32_t>{0, 10, 5, 7, 6, 11, 3, 2}));
  for (const char* text :
       {"a", "cab adz", "bad cab dead bee", "e e e e e e e e e e abcdeabcdeab"}) {
    const std::vector<int32_t> ids = (*tokenizer)->Encode(text);
    ASSERT_LE(ids.size(), model->config.positions);
    const std::span<const int32_t> span(ids);
    std::vector<float> vector(model->config.hidden);
    encoder.Encode({&span, 1}, &workspace, vector.data());
    EXPECT_GE(Cosine(ReferenceVector(*model, ids), vector), 0.999999) << text;
  }
  EXPECT_EQ((*tokenizer)->Encode("e e e e e e e e e e abcdeabcdeab").size(),
            model->config.positions);
}

TEST_F(BertFolderTest, XlmRobertaMayPutItsNameBeforeTensors) {
  const auto model = MakeTinyBert(TinyXlmRobertaConfig(), 19);
  WriteTinyXlmRobertaFolder(*model, FloatType::kF32, folder_.path());
  std::string bytes = *ReadFile(folder_.path() / "model.safetensors");
  for (const char* part : {"\"embeddings.", "\"encoder."}) {
    for (size_t at = 0; (at = bytes.find(part, at)) != std::string::npos; at += 10) {
      InsertIntoHeader(&bytes, at + 1 - 8, "roberta.");
    }
  }
  std::ofstream(folder_.path() / "model.safetensors", std::ios::binary) << bytes;
  const auto loaded = BertModel::LoadSafetensors(folder_.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  ExpectSame(**loaded, *model);
}

TEST_F(BertFolderTest, ATableWithoutTheUnreadRowsDoesNotFitXlmRoberta) {
  const auto model = MakeTinyBert(TinyXlmRobertaConfig(), 20);
  WriteTinyXlmRobertaFolder(*model, FloatType::kF32, folder_.path());
  const std::string config = *ReadFile(folder_.path() / "config.json");
  WriteTinyBertFolder(*model, FloatType::kF32, folder_.path());
  std::ofstream(folder_.path() / "config.json") << config;
  ExpectError(BertModel::LoadSafetensors(folder_.path()).status(), Reason::kModelCorrupt,
              "position_embeddings.weight is 24 × 64, the model's sizes ask for 26 × 64");
}

TEST_F(BertFolderTest, DamagedFoldersNeverCrash) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  BertConfig config = TinyBertConfig();
  config.layers = 1;
  config.intermediate = 64;
  WriteTinyBertFolder(*MakeTinyBert(config, 1), FloatType::kF16, folder_.path());
  const std::string good = *ReadFile(folder_.path() / "model.safetensors");
  for (int i = 0; i < 500; ++i) {
    std::string bad = good;
    const size_t at = random() % 2048;
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    if (i % 16 == 0) bad.resize(random() % bad.size());
    std::ofstream(folder_.path() / "model.safetensors", std::ios::binary) << bad;
    const auto loaded = BertModel::LoadSafetensors(folder_.path());
    if (!loaded.ok()) {
      EXPECT_EQ(loaded.status().code(), StatusCode::kInvalidArgument);
      continue;
    }
    for (const FloatMatrix* matrix : MatricesOf(**loaded)) {
      EXPECT_EQ(ValuesOf(*matrix).size(), size_t{matrix->rows} * matrix->columns);
    }
  }
}

}  // namespace
}  // namespace ragstone::llm

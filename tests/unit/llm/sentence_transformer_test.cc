#include "llm/sentence_transformer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/file.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class SentenceTransformerTest : public ::testing::Test {
 protected:
  SentenceTransformerTest() {
    fs::create_directories(folder_.path() / "1_Pooling");
    Write("config.json", Config().dump());
    Write("modules.json", Modules().dump());
    Write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens":true})");
    Write("sentence_bert_config.json", R"({"max_seq_length":16})");
    Write("vocab.txt", "[PAD]\n[CLS]\n[SEP]\n[UNK]\nword\n##s\n");
    Write("README.md", "---\nlanguage: en\nlicense: \"apache-2.0\"\n---\ntext\n");
  }

  static Json Config() {
    return {{"model_type", "bert"},          {"hidden_act", "gelu"}, {"num_hidden_layers", 1},
            {"num_attention_heads", 2},      {"hidden_size", 8},     {"intermediate_size", 16},
            {"max_position_embeddings", 32}, {"type_vocab_size", 2}, {"vocab_size", 8},
            {"layer_norm_eps", 1e-12}};
  }
  static Json Modules() {
    return {{{"path", ""}, {"type", "sentence_transformers.models.Transformer"}},
            {{"path", "1_Pooling"}, {"type", "sentence_transformers.models.Pooling"}},
            {{"path", "2_Normalize"}, {"type", "sentence_transformers.models.Normalize"}}};
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
  }
  Status Read() { return ReadSentenceTransformer(folder_.path()).status(); }

  testing::TempFolder folder_;
};

TEST_F(SentenceTransformerTest, AFolderIsRead) {
  const Result<SentenceTransformer> model = ReadSentenceTransformer(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->hidden, 8u);
  EXPECT_EQ(model->heads, 2u);
  EXPECT_EQ(model->pooling, "mean");
  EXPECT_TRUE(model->normalize);
  EXPECT_EQ(model->tokens_max, 16u);
  EXPECT_EQ(model->license, "apache-2.0");
  ASSERT_EQ(model->tokens.size(), 8u);
  EXPECT_EQ(model->tokens[4], "word");
  EXPECT_FALSE(model->tokens[7].empty());
}

TEST_F(SentenceTransformerTest, TokenizerJsonComesBeforeVocabTxt) {
  Write("tokenizer.json", R"({"model":{"type":"WordPiece","vocab":{"[PAD]":0,"other":4}}})");
  const Result<SentenceTransformer> model = ReadSentenceTransformer(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->tokens[4], "other");
}

TEST_F(SentenceTransformerTest, WithoutALimitThePositionsAreTheLimit) {
  fs::remove(folder_.path() / "sentence_bert_config.json");
  EXPECT_EQ(ReadSentenceTransformer(folder_.path())->tokens_max, 32u);
  Write("sentence_bert_config.json", R"({"max_seq_length":512})");
  EXPECT_EQ(ReadSentenceTransformer(folder_.path())->tokens_max, 32u);
}

TEST_F(SentenceTransformerTest, WhatIsNotBertIsUnsupportedAndNamed) {
  const std::pair<const char*, Json> wrong[] = {
      {"model_type", "mpnet"}, {"hidden_act", "relu"}, {"position_embedding_type", "relative_key"}};
  for (const auto& [key, value] : wrong) {
    Json config = Config();
    config[key] = value;
    Write("config.json", config.dump());
    const Status status = Read();
    EXPECT_EQ(status.reason(), Reason::kModelUnsupported) << key;
    EXPECT_NE(status.message().find(key), std::string::npos) << status.message();
  }
}

TEST_F(SentenceTransformerTest, XlmRobertaCountsPositionsFromBehindItsPaddingToken) {
  Json config = Config();
  config["model_type"] = "xlm-roberta";
  Write("config.json", config.dump());
  fs::remove(folder_.path() / "sentence_bert_config.json");
  Write("tokenizer.json", R"({"model":{"type":"Unigram","vocab":[["<s>",0],["x",-1.5]]}})");
  const Result<SentenceTransformer> model = ReadSentenceTransformer(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->first_position, 2u);
  EXPECT_EQ(model->positions, 32u);
  EXPECT_EQ(model->tokens_max, 30u);
  EXPECT_EQ(model->tokenizer, TokenizerKind::kUnigram);
  Write("sentence_bert_config.json", R"({"max_seq_length":32})");
  EXPECT_EQ(ReadSentenceTransformer(folder_.path())->tokens_max, 30u);
  Write("sentence_bert_config.json", R"({"max_seq_length":16})");
  EXPECT_EQ(ReadSentenceTransformer(folder_.path())->tokens_max, 16u);
  for (const auto& [padding, first] : {std::pair{0, 1u}, {5, 6u}, {30, 31u}}) {
    config["pad_token_id"] = padding;
    Write("config.json", config.dump());
    EXPECT_EQ(ReadSentenceTransformer(folder_.path())->first_position, first);
  }
  for (const Json& padding : {Json(31), Json(1u << 31), Json(-1), Json("1"), Json()}) {
    config["pad_token_id"] = padding;
    Write("config.json", config.dump());
    EXPECT_EQ(Read().reason(), Reason::kModelCorrupt) << padding;
    EXPECT_NE(Read().message().find("pad_token_id"), std::string::npos);
  }
}

// multilingual-e5-small is BERT with XLM-RoBERTa's tokeniser.
TEST_F(SentenceTransformerTest, BertMayHaveAUnigramTokeniser) {
  Write("tokenizer.json", R"({"model":{"type":"Unigram","vocab":[["<s>",0],["x",-1.5]]}})");
  const Result<SentenceTransformer> model = ReadSentenceTransformer(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->first_position, 0u);
  EXPECT_EQ(model->tokenizer, TokenizerKind::kUnigram);
  Json pieces = Json::array();
  for (int i = 0; i < 9; ++i) pieces.push_back({"p", 0});
  for (const Json& vocabulary : {pieces, Json::object(), Json()}) {
    Write("tokenizer.json", Json({{"model", {{"type", "Unigram"}, {"vocab", vocabulary}}}}).dump());
    EXPECT_EQ(Read().reason(), Reason::kModelCorrupt) << vocabulary;
  }
}

TEST_F(SentenceTransformerTest, TensorsAreKnownWithAndWithoutTheModelsName) {
  EXPECT_EQ(WithoutModelName("bert.encoder.x"), "encoder.x");
  EXPECT_EQ(WithoutModelName("roberta.encoder.x"), "encoder.x");
  EXPECT_EQ(WithoutModelName("encoder.bert.x"), "encoder.bert.x");
}

TEST_F(SentenceTransformerTest, OtherPoolingsModulesAndTokenisersAreUnsupported) {
  Write("1_Pooling/config.json", R"({"pooling_mode_max_tokens":true})");
  EXPECT_EQ(Read().reason(), Reason::kModelUnsupported);
  Write("1_Pooling/config.json", R"({"pooling_mode_cls_token":true})");
  EXPECT_EQ(ReadSentenceTransformer(folder_.path())->pooling, "cls");
  Write("tokenizer.json", R"({"model":{"type":"BPE","vocab":{}}})");
  EXPECT_EQ(Read().reason(), Reason::kModelUnsupported);
  fs::remove(folder_.path() / "tokenizer.json");
  Json modules = Modules();
  modules.push_back({{"path", "3_Dense"}, {"type", "sentence_transformers.models.Dense"}});
  Write("modules.json", modules.dump());
  EXPECT_EQ(Read().reason(), Reason::kModelUnsupported);
}

TEST_F(SentenceTransformerTest, MissingAndContradictoryFilesAreNamed) {
  for (const char* key : {"num_hidden_layers", "hidden_size", "vocab_size"}) {
    Json config = Config();
    config[key] = -3;
    Write("config.json", config.dump());
    EXPECT_EQ(Read().reason(), Reason::kModelCorrupt);
    EXPECT_NE(Read().message().find(key), std::string::npos);
  }
  Write("config.json", Config().dump());
  Json modules = Modules();
  modules[1]["path"] = "../elsewhere";
  Write("modules.json", modules.dump());
  EXPECT_EQ(Read().reason(), Reason::kModelCorrupt);
  Write("modules.json", Modules().dump());
  Write("vocab.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  EXPECT_EQ(Read().reason(), Reason::kModelCorrupt);
  fs::remove(folder_.path() / "vocab.txt");
  EXPECT_EQ(Read().code(), StatusCode::kNotFound);
}

TEST_F(SentenceTransformerTest, DamagedFilesNeverCrash) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  for (const char* name : {"config.json", "modules.json", "1_Pooling/config.json",
                           "sentence_bert_config.json", "vocab.txt", "README.md"}) {
    const std::string good = *ReadFile(folder_.path() / name);
    for (int i = 0; i < 60; ++i) {
      std::string bad = good;
      bad[random() % bad.size()] = static_cast<char>(random());
      if (random() % 2 == 0) bad.resize(random() % bad.size());
      Write(name, bad);
      const Status status = Read();
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInvalidArgument ||
                  status.code() == StatusCode::kNotFound)
          << status.ToString();
    }
    Write(name, good);
  }
}

}  // namespace
}  // namespace ragstone::llm

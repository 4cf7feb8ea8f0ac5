// Tests bert_model.cc on GGUF files; folders are in bert_folder_test.cc.
#include "llm/encoder/bert_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "tests/testing/temp_folder.h"
#include "tests/unit/llm/encoder/model_checks.h"
#include "tests/unit/llm/encoder/tiny_bert.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

class BertModelTest : public ::testing::Test {
 protected:
  fs::path file() const { return folder_.path() / "model.gguf"; }
  void Write(const std::string& bytes) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
  }
  Status Load(const std::string& bytes) const {
    Write(bytes);
    return BertModel::Load(file()).status();
  }
  // The status of loading the good file after a change.
  Status LoadChanged(const std::function<void(TinyGguf*)>& change) const {
    TinyGguf gguf = TinyGgufOf(*model_, FloatType::kF16);
    change(&gguf);
    return Load(gguf.Bytes());
  }
  testing::TempFolder folder_;
  const std::unique_ptr<BertModel> model_ = MakeTinyBert(TinyBertConfig(), 1);
};

TEST(FloatMatrixTest, EveryHalfIsExact) {
  std::vector<uint16_t> bits(1 << 16);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  const FloatMatrix matrix{FloatType::kF16, 256, 256, bits.data()};
  const std::vector<float> values = ValuesOf(matrix);
  for (uint32_t i = 0; i < bits.size(); ++i) {
    const int exponent = static_cast<int>((i >> 10) & 31);
    const double mantissa = (i & 0x3FF) / 1024.0;
    if (exponent == 31) {
      EXPECT_EQ(std::isinf(values[i]), mantissa == 0) << i;
      EXPECT_EQ(std::isnan(values[i]), mantissa != 0) << i;
    } else {
      const double magnitude =
          exponent == 0 ? std::ldexp(mantissa, -14) : std::ldexp(1 + mantissa, exponent - 15);
      EXPECT_EQ(std::fabs(values[i]), magnitude) << i;
    }
    EXPECT_EQ(std::signbit(values[i]), i >= 0x8000) << i;
  }
}

TEST(FloatMatrixTest, RowsOfEachTypeAreRead) {
  const float floats[] = {1, -2, 3, 1e-30f};
  const uint16_t brains[] = {0x3F80, 0xC000, 0x7F80, 0x8001};
  float row[2];
  FloatMatrix{FloatType::kF32, 2, 2, floats}.ReadRow(1, row);
  EXPECT_EQ(row[0], 3);
  EXPECT_EQ(row[1], 1e-30f);
  const FloatMatrix matrix{FloatType::kBf16, 2, 2, brains};
  matrix.ReadRow(0, row);
  EXPECT_EQ(row[0], 1);
  EXPECT_EQ(row[1], -2);
  matrix.ReadRow(1, row);
  EXPECT_EQ(row[0], std::numeric_limits<float>::infinity());
  EXPECT_EQ(row[1], -0x1p-133f);
}

TEST_F(BertModelTest, GgufFilesOfEachTypeAreRead) {
  for (const FloatType type : kFloatTypes) {
    WriteTinyBertGguf(*model_, type, file());
    const auto loaded = BertModel::Load(file());
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_EQ((*loaded)->token_embeddings.type, type);
    EXPECT_EQ((*loaded)->layers[1].down.weight.type, type);
    ExpectSame(**loaded, *RoundedTo(*model_, type));
  }
}

TEST_F(BertModelTest, RoundingGoesToTheNearestNeighbour) {
  EXPECT_EQ(BitsOf(1 + 0x1p-8f, FloatType::kBf16), 0x3F80);      // a tie, to even
  EXPECT_EQ(BitsOf(1 + 3 * 0x1p-8f, FloatType::kBf16), 0x3F82);  // a tie, to even
  EXPECT_EQ(BitsOf(-1 - 0x1.2p-8f, FloatType::kBf16), 0xBF81);   // above the tie
  EXPECT_EQ(BitsOf(1 + 0x1p-11f, FloatType::kF16), 0x3C00);      // a tie, to even
  EXPECT_EQ(BitsOf(1 + 0x1.8p-10f, FloatType::kF16), 0x3C02);    // a tie, to even
  EXPECT_EQ(BitsOf(-0x1.9p-24f, FloatType::kF16), 0x8002);       // a subnormal value
  EXPECT_EQ(BitsOf(0x1.FFFp-15f, FloatType::kF16), 0x0400);      // up to the smallest normal one
}

TEST_F(BertModelTest, PoolingAndNormsOfOtherTypesAreRead) {
  BertConfig config = TinyBertConfig();
  config.pooling = Pooling::kCls;
  config.token_types = 1;
  config.heads = 4;
  config.norm_epsilon = 1e-5f;
  const auto model = MakeTinyBert(config, 2);
  TinyGguf gguf = TinyGgufOf(*model, FloatType::kF32);
  gguf.Find("token_types.weight").sizes = {config.hidden};  // as writers without trailing ones do
  TinyGguf::Tensor& beta = gguf.Find("blk.0.attn_output_norm.bias");
  beta.type = 30;
  beta.bytes.clear();
  for (float& value : model->layers[0].attention_norm.beta) {
    const uint16_t bits = BitsOf(value, FloatType::kBf16);
    beta.bytes.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
    value = RoundTo(value, FloatType::kBf16);
  }
  Write(gguf.Bytes());
  const auto loaded = BertModel::Load(file());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  ExpectSame(**loaded, *model);
  WriteTinyBertFolder(*model, FloatType::kF32, folder_.path());
  const auto folder = BertModel::LoadSafetensors(folder_.path());
  ASSERT_TRUE(folder.ok()) << folder.status().ToString();
  ExpectSame(**folder, *model);
}

// As llama.cpp's converter writes XLM-RoBERTa: a Unigram tokeniser ("t5"), one token type, and a
// position table without the rows that no text reads.
TEST_F(BertModelTest, GgufFilesOfXlmRobertaAreReadUnlessTheirPositionsAreOff) {
  BertConfig config = TinyBertConfig();
  config.token_types = 1;
  for (const uint32_t positions : {16u, 24u, 512u}) {
    config.positions = positions;
    const auto model = MakeTinyBert(config, 3);
    TinyGguf gguf = TinyGgufOf(*model, FloatType::kF32);
    gguf.SetText("tokenizer.ggml.model", "t5");
    Write(gguf.Bytes());
    const auto loaded = BertModel::Load(file());
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    ExpectSame(**loaded, *model);
  }
  config.positions = 514;
  TinyGguf gguf = TinyGgufOf(*MakeTinyBert(config, 3), FloatType::kF32);
  EXPECT_TRUE(Load(gguf.Bytes()).ok());  // BERT may have as many as it likes
  gguf.SetText("tokenizer.ggml.model", "t5");
  ExpectError(Load(gguf.Bytes()), Reason::kModelCorrupt, "bert.context_length is 514");
}

TEST_F(BertModelTest, TheModelOutlivesItsFile) {
  WriteTinyBertGguf(*model_, FloatType::kF32, file());
  const auto loaded = BertModel::Load(file());
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  fs::remove(file());
  ExpectSame(**loaded, *model_);
}

TEST_F(BertModelTest, HeadsForOtherTasksAreIgnored) {
  const Status status = LoadChanged([](TinyGguf* gguf) {
    gguf->tensors.push_back({"cls.output.weight", 8, {64, 1}, std::string(68, '\1')});
  });
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST_F(BertModelTest, OtherModelsAreUnsupportedAndNamed) {
  using Change = std::function<void(TinyGguf*)>;
  const std::pair<const char*, Change> wrong[] = {
      {"'llama'", [](TinyGguf* f) { f->SetText("general.architecture", "llama"); }},
      {"attention.causal", [](TinyGguf* f) { f->SetBool("bert.attention.causal", true); }},
      {"pooling_type is 3", [](TinyGguf* f) { f->SetUint32("bert.pooling_type", 3); }},
      {"pooling_type is missing", [](TinyGguf* f) { f->RemoveKey("bert.pooling_type"); }},
      {"head_count_kv is 1", [](TinyGguf* f) { f->SetUint32("bert.attention.head_count_kv", 1); }},
      {"key_length is 16", [](TinyGguf* f) { f->SetUint32("bert.attention.key_length", 16); }},
      {"value_length is 16", [](TinyGguf* f) { f->SetUint32("bert.attention.value_length", 16); }},
      {"type 8 of GGUF",
       [](TinyGguf* f) {
         f->Find("blk.1.ffn_up.weight").type = 8;
         f->Find("blk.1.ffn_up.weight").bytes.resize(64 / 32 * 34 * 128);
       }},
      {"type 999 of GGUF", [](TinyGguf* f) { f->Find("token_embd.weight").type = 999; }},
      {"blk.0.attn_qkv.weight",
       [](TinyGguf* f) { f->Find("blk.0.attn_q.weight").name = "blk.0.attn_qkv.weight"; }},
      {"blk.1.ffn_gate.weight",
       [](TinyGguf* f) {
         f->tensors.push_back(f->Find("blk.1.ffn_up.weight"));
         f->tensors.back().name = "blk.1.ffn_gate.weight";
       }},
      {"rope_freqs.weight",
       [](TinyGguf* f) {
         f->tensors.push_back({"rope_freqs.weight", 0, {16}, std::string(64, '\0')});
       }},
      {"blk.1.", [](TinyGguf* f) { f->SetUint32("bert.block_count", 1); }},
      {"blk.0.attn_k.bias", [](TinyGguf* f) { f->RemoveTensor("blk.0.attn_k.bias"); }},
      {"token_types.weight", [](TinyGguf* f) { f->RemoveTensor("token_types.weight"); }},
  };
  for (const auto& [text, change] : wrong) {
    ExpectError(LoadChanged(change), Reason::kModelUnsupported, text);
  }
}

TEST_F(BertModelTest, SizesOutsideTheLimitsAreUnsupportedAndNamed) {
  struct Case {
    const char* key;
    uint32_t value;
    const char* text;
  };
  const Case wrong[] = {
      {"bert.block_count", kLayersMax + 1, "number of layers is 65"},
      {"bert.embedding_length", 96, "hidden size is 96"},
      {"bert.embedding_length", kHiddenMax + kHiddenStep, "hidden size is 1088"},
      {"bert.feed_forward_length", 100, "intermediate size is 100"},
      {"bert.feed_forward_length", kIntermediateMax + kHiddenStep, "intermediate size is 4160"},
      {"bert.attention.head_count", 8, "head size is 8"},
  };
  for (const Case& wanted : wrong) {
    ExpectError(LoadChanged([&](TinyGguf* f) { f->SetUint32(wanted.key, wanted.value); }),
                Reason::kModelUnsupported, wanted.text);
  }
  ExpectError(LoadChanged([](TinyGguf* f) {
                f->SetUint32("bert.embedding_length", 320);
                f->SetUint32("bert.attention.head_count", 2);
              }),
              Reason::kModelUnsupported, "head size is 160");
}

TEST_F(BertModelTest, WrongNumbersAreCorruptAndNamed) {
  for (const char* key : {"bert.embedding_length", "bert.feed_forward_length", "bert.block_count",
                          "bert.attention.head_count", "bert.context_length"}) {
    ExpectError(LoadChanged([&](TinyGguf* f) { f->RemoveKey(key); }), Reason::kModelCorrupt, key);
    ExpectError(LoadChanged([&](TinyGguf* f) { f->SetUint32(key, 0); }), Reason::kModelCorrupt,
                key);
    ExpectError(LoadChanged([&](TinyGguf* f) { f->SetUint32(key, UINT32_MAX); }),
                Reason::kModelCorrupt, key);
    for (const float number : {1.5f, -64.0f, std::nanf(""), 1e30f}) {
      ExpectError(LoadChanged([&](TinyGguf* f) { f->SetFloat32(key, number); }),
                  Reason::kModelCorrupt, key);
    }
  }
  ExpectError(LoadChanged([](TinyGguf* f) { f->SetUint32("bert.attention.head_count", 3); }),
              Reason::kModelCorrupt, "3 heads");
  ExpectError(LoadChanged([](TinyGguf* f) { f->SetUint32("bert.vocab_size", 0); }),
              Reason::kModelCorrupt, "bert.vocab_size");
  const std::string epsilon = "bert.attention.layer_norm_epsilon";
  ExpectError(LoadChanged([&](TinyGguf* f) { f->RemoveKey(epsilon); }), Reason::kModelCorrupt,
              "epsilon");
  for (const float number : {0.0f, -1e-12f, 1.0f, std::nanf("")}) {
    ExpectError(LoadChanged([&](TinyGguf* f) { f->SetFloat32(epsilon, number); }),
                Reason::kModelCorrupt, "epsilon");
  }
}

TEST_F(BertModelTest, EveryMissingTensorIsNamed) {
  const TinyGguf good = TinyGgufOf(*model_, FloatType::kF16);
  ASSERT_EQ(good.tensors.size(), 5u + 2 * 16);
  for (const TinyGguf::Tensor& tensor : good.tensors) {
    const Status status = LoadChanged([&](TinyGguf* f) { f->RemoveTensor(tensor.name); });
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << tensor.name;
    EXPECT_NE(status.message().find("tensor " + tensor.name), std::string::npos)
        << status.message();
  }
  ExpectError(LoadChanged([](TinyGguf* f) { f->RemoveTensor("blk.0.ffn_up.weight"); }),
              Reason::kModelCorrupt, "blk.0.ffn_up.weight is missing");
}

// Every tensor in turn with another shape of as many values, or of fewer.
TEST_F(BertModelTest, EveryWrongShapeIsNamed) {
  const TinyGguf good = TinyGgufOf(*model_, FloatType::kF16);
  for (const TinyGguf::Tensor& tensor : good.tensors) {
    const uint64_t first = tensor.sizes[0];
    const uint64_t rest = tensor.sizes.size() == 2 ? tensor.sizes[1] : 1;
    const std::vector<uint64_t> shapes[] = {
        {first * rest / 2, 2}, {first - 1, rest}, {first / 2, rest, 2}, {first, rest, 1, 2}, {1}};
    for (const std::vector<uint64_t>& shape : shapes) {
      if (shape == tensor.sizes) continue;  // two rows stay two rows
      const Status status = LoadChanged([&](TinyGguf* f) {
        f->Find(tensor.name).sizes = shape;
        f->Find(tensor.name).bytes += f->Find(tensor.name).bytes;
      });
      ExpectError(status, Reason::kModelCorrupt, "tensor " + tensor.name + " is ");
    }
  }
  const Status status = LoadChanged([](TinyGguf* f) {
    f->Find("blk.0.ffn_down.weight").sizes = {64, 128};
  });
  ExpectError(status, Reason::kModelCorrupt, "is 128 × 64, the model's sizes ask for 64 × 128");
}

TEST_F(BertModelTest, SizesThatContradictTheTablesAreCorrupt) {
  const std::pair<const char*, const char*> wrong[] = {
      {"bert.context_length", "position_embd.weight is 24 × 64"},
      {"bert.vocab_size", "token_embd.weight is 40 × 64"},
      {"tokenizer.ggml.token_type_count", "token_types.weight is 2 × 64"}};
  for (const auto& wanted : wrong) {
    ExpectError(LoadChanged([&](TinyGguf* f) { f->SetUint32(wanted.first, 25); }),
                Reason::kModelCorrupt, wanted.second);
  }
}

TEST_F(BertModelTest, MissingAndEmptyFilesAreRefused) {
  EXPECT_EQ(BertModel::Load(folder_.path() / "none.gguf").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Load("").reason(), Reason::kEmptyFile);
  EXPECT_EQ(BertModel::Load(folder_.path()).status().reason(), Reason::kInvalidArgument);
  ExpectError(Load("%PDF-1.7"), Reason::kModelCorrupt, file().string());
  EXPECT_EQ(BertModel::LoadSafetensors(folder_.path()).status().code(), StatusCode::kNotFound);
  WriteTinyBertFolder(*model_, FloatType::kF32, folder_.path());
  fs::remove(folder_.path() / "model.safetensors");
  EXPECT_EQ(BertModel::LoadSafetensors(folder_.path()).status().code(), StatusCode::kNotFound);
}

// Spoils the file in thousands of ways, mostly in its header, and reads every value of what still
// loads.
TEST_F(BertModelTest, DamagedFilesNeverCrash) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  BertConfig config = TinyBertConfig();
  config.layers = 1;
  config.intermediate = 64;
  const std::string good = TinyGgufOf(*MakeTinyBert(config, 1), FloatType::kBf16).Bytes();
  const size_t header = 2048;
  int loaded_count = 0;
  for (int i = 0; i < 800; ++i) {
    std::string bad = good;
    for (int k = 0; k < 2; ++k) {
      const size_t at = random() % (i % 8 == 0 ? bad.size() : header);
      bad[at] = static_cast<char>(random() % 2 == 0 ? random() : bad[at] ^ (1 << random() % 8));
    }
    if (i % 16 == 0) bad.resize(random() % bad.size());
    Write(bad);
    const auto loaded = BertModel::Load(file());
    if (!loaded.ok()) {
      EXPECT_EQ(loaded.status().code(), StatusCode::kInvalidArgument);
      continue;
    }
    ++loaded_count;
    for (const FloatMatrix* matrix : MatricesOf(**loaded)) {
      EXPECT_EQ(ValuesOf(*matrix).size(), size_t{matrix->rows} * matrix->columns);
    }
  }
  EXPECT_GT(loaded_count, 0);
}

}  // namespace
}  // namespace ragstone::llm

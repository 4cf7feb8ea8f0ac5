#include "tests/unit/llm/encoder/tiny_bert.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <deque>
#include <fstream>
#include <iomanip>
#include <random>
#include <sstream>
#include <utility>

#include "base/check.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

using Values = std::deque<std::vector<float>>;

// Numbers that are the same with every standard library.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  std::vector<float> Fill(size_t count, float middle, float spread) {
    std::vector<float> values(count);
    for (float& value : values) {
      value = middle + spread * (static_cast<float>(engine_() >> 8) * 0x1p-23f - 1);
    }
    return values;
  }

 private:
  std::mt19937 engine_;
};

FloatMatrix Keep(std::vector<float> values, uint32_t columns, Values* storage) {
  FloatMatrix matrix;
  matrix.rows = static_cast<uint32_t>(values.size() / columns);
  matrix.columns = columns;
  storage->push_back(std::move(values));
  matrix.values = storage->back().data();
  return matrix;
}

BertLinear RandomLinear(uint32_t rows, uint32_t columns, Random* random, Values* storage) {
  const float spread = std::sqrt(3.0f / static_cast<float>(columns));  // variance 1 / columns
  BertLinear linear;
  linear.weight = Keep(random->Fill(size_t{rows} * columns, 0, spread), columns, storage);
  linear.bias = random->Fill(rows, 0, 0.1f);
  return linear;
}

BertNorm RandomNorm(uint32_t size, Random* random) {
  BertNorm norm;
  norm.gamma = random->Fill(size, 1, 0.25f);
  norm.beta = random->Fill(size, 0, 0.1f);
  return norm;
}

// A tensor of the model under its two names. Vectors have no rows.
struct Named {
  std::string gguf;
  std::string torch;
  uint32_t rows = 0;
  uint32_t columns = 0;
  std::vector<float> values;
};

class Names {
 public:
  explicit Names(const BertModel& model) {
    AddMatrix("token_embd", "embeddings.word_embeddings", model.token_embeddings);
    AddMatrix("position_embd", "embeddings.position_embeddings", model.position_embeddings);
    AddMatrix("token_types", "embeddings.token_type_embeddings", model.type_embeddings);
    AddNorm("token_embd_norm", "embeddings.LayerNorm", model.embeddings_norm);
    for (size_t i = 0; i < model.layers.size(); ++i) {
      const BertLayer& layer = model.layers[i];
      const std::string gguf = "blk." + std::to_string(i) + ".";
      const std::string torch = "encoder.layer." + std::to_string(i) + ".";
      AddLinear(gguf + "attn_q", torch + "attention.self.query", layer.query);
      AddLinear(gguf + "attn_k", torch + "attention.self.key", layer.key);
      AddLinear(gguf + "attn_v", torch + "attention.self.value", layer.value);
      AddLinear(gguf + "attn_output", torch + "attention.output.dense", layer.attention_output);
      AddNorm(gguf + "attn_output_norm", torch + "attention.output.LayerNorm",
              layer.attention_norm);
      AddLinear(gguf + "ffn_up", torch + "intermediate.dense", layer.up);
      AddLinear(gguf + "ffn_down", torch + "output.dense", layer.down);
      AddNorm(gguf + "layer_output_norm", torch + "output.LayerNorm", layer.output_norm);
    }
  }
  const std::vector<Named>& all() const { return all_; }

 private:
  void AddMatrix(const std::string& gguf, const std::string& torch, const FloatMatrix& matrix) {
    std::vector<float> values(size_t{matrix.rows} * matrix.columns);
    for (uint32_t row = 0; row < matrix.rows; ++row) {
      matrix.ReadRow(row, values.data() + size_t{row} * matrix.columns);
    }
    all_.push_back(
        {gguf + ".weight", torch + ".weight", matrix.rows, matrix.columns, std::move(values)});
  }
  void AddVector(const std::string& gguf, const std::string& torch,
                 const std::vector<float>& values) {
    all_.push_back({gguf, torch, 0, static_cast<uint32_t>(values.size()), values});
  }
  void AddLinear(const std::string& gguf, const std::string& torch, const BertLinear& linear) {
    AddMatrix(gguf, torch, linear.weight);
    AddVector(gguf + ".bias", torch + ".bias", linear.bias);
  }
  void AddNorm(const std::string& gguf, const std::string& torch, const BertNorm& norm) {
    AddVector(gguf + ".weight", torch + ".weight", norm.gamma);
    AddVector(gguf + ".bias", torch + ".bias", norm.beta);
  }
  std::vector<Named> all_;
};

template <typename T>
std::string BytesOfNumber(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string TextBytes(const std::string& text) {
  return BytesOfNumber<uint64_t>(text.size()) + text;
}

std::string Encode(const std::vector<float>& values, FloatType type) {
  std::string bytes;
  for (const float value : values) {
    bytes += type == FloatType::kF32 ? BytesOfNumber(value) : BytesOfNumber(BitsOf(value, type));
  }
  return bytes;
}

void WriteFile(const fs::path& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary);
  out << bytes;
  out.close();
  CHECK(out.good());
}

// `unread` rows of the position table come before the first that the model has.
std::string Safetensors(const BertModel& model, FloatType type, uint32_t unread) {
  const char* kTypes[] = {"F32", "F16", "BF16"};
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  std::string data;
  const Names names(model);
  for (Named tensor : names.all()) {
    if (tensor.gguf == "position_embd.weight") {
      tensor.rows += unread;
      tensor.values.insert(tensor.values.begin(), size_t{unread} * tensor.columns, 1000.0f);
    }
    const std::string bytes = Encode(tensor.values, type);
    header += ",\"" + tensor.torch + "\":{\"dtype\":\"" + kTypes[static_cast<int>(type)] +
              "\",\"shape\":[" + (tensor.rows == 0 ? "" : std::to_string(tensor.rows) + ",") +
              std::to_string(tensor.columns) + "],\"data_offsets\":[" +
              std::to_string(data.size()) + "," + std::to_string(data.size() + bytes.size()) + "]}";
    data += bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return TextBytes(header) + data;
}

// How a folder says that it is BERT's or XLM-RoBERTa's.
struct FolderForm {
  const char* type;
  uint32_t first_position;
};

// All but the tokeniser.
void WriteFolder(const BertModel& model, FloatType type, const FolderForm& form,
                 const fs::path& folder) {
  const BertConfig& config = model.config;
  const auto number = [](const char* key, uint32_t value) {
    return "\"" + std::string(key) + "\":" + std::to_string(value) + ",";
  };
  std::ostringstream epsilon;
  epsilon << std::setprecision(9) << config.norm_epsilon;
  fs::create_directories(folder / "1_Pooling");
  WriteFile(folder / "config.json",
            "{" + number("num_hidden_layers", config.layers) +
                number("num_attention_heads", config.heads) + number("hidden_size", config.hidden) +
                number("intermediate_size", config.intermediate) +
                number("max_position_embeddings", form.first_position + config.positions) +
                number("type_vocab_size", config.token_types) +
                number("vocab_size", config.vocabulary) +
                (form.first_position > 0 ? number("pad_token_id", form.first_position - 1) : "") +
                R"("model_type":")" + form.type + R"(","hidden_act":"gelu","layer_norm_eps":)" +
                epsilon.str() + "}");
  WriteFile(folder / "modules.json",
            R"([{"path":"","type":"sentence_transformers.models.Transformer"},)"
            R"({"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}])");
  WriteFile(folder / "1_Pooling" / "config.json", config.pooling == Pooling::kMean
                                                      ? R"({"pooling_mode_mean_tokens":true})"
                                                      : R"({"pooling_mode_cls_token":true})");
  WriteFile(folder / "model.safetensors", Safetensors(model, type, form.first_position));
}

}  // namespace

BertConfig TinyBertConfig() {
  BertConfig config;
  config.vocabulary = 40;
  config.positions = 24;
  config.token_types = 2;
  config.hidden = 64;
  config.intermediate = 128;
  config.layers = 2;
  config.heads = 2;
  config.norm_epsilon = 1e-12f;
  return config;
}

BertConfig TinyBertConfig(uint32_t hidden, uint32_t heads) {
  BertConfig config = TinyBertConfig();
  config.hidden = hidden;
  config.heads = heads;
  config.intermediate = 4 * hidden;
  config.positions = 512;
  return config;
}

TokenTexts RandomTexts(const BertConfig& config, const std::vector<size_t>& lengths,
                       std::mt19937* random) {
  TokenTexts texts;
  for (const size_t length : lengths) {
    texts.emplace_back(length);
    for (int32_t& id : texts.back()) id = static_cast<int32_t>((*random)() % config.vocabulary);
  }
  return texts;
}

std::unique_ptr<BertModel> MakeTinyBert(const BertConfig& config, uint32_t seed) {
  Random random(seed);
  const auto storage = std::make_shared<Values>();
  const uint32_t hidden = config.hidden;
  const auto table = [&](uint32_t rows, float spread) {
    return Keep(random.Fill(size_t{rows} * hidden, 0, spread), hidden, storage.get());
  };
  auto model = std::make_unique<BertModel>();
  model->config = config;
  model->token_embeddings = table(config.vocabulary, 1);
  model->position_embeddings = table(config.positions, 0.25f);
  model->type_embeddings = table(config.token_types, 0.25f);
  model->embeddings_norm = RandomNorm(hidden, &random);
  for (uint32_t i = 0; i < config.layers; ++i) {
    BertLayer layer;
    layer.query = RandomLinear(hidden, hidden, &random, storage.get());
    layer.key = RandomLinear(hidden, hidden, &random, storage.get());
    layer.value = RandomLinear(hidden, hidden, &random, storage.get());
    layer.attention_output = RandomLinear(hidden, hidden, &random, storage.get());
    layer.attention_norm = RandomNorm(hidden, &random);
    layer.up = RandomLinear(config.intermediate, hidden, &random, storage.get());
    layer.down = RandomLinear(hidden, config.intermediate, &random, storage.get());
    layer.output_norm = RandomNorm(hidden, &random);
    model->layers.push_back(std::move(layer));
  }
  model->storage = storage;
  return model;
}

std::unique_ptr<BertModel> RoundedTo(const BertModel& model, FloatType type) {
  auto rounded = std::make_unique<BertModel>(model);
  const auto storage = std::make_shared<Values>();
  const auto round = [&](FloatMatrix* matrix) {
    std::vector<float> values(size_t{matrix->rows} * matrix->columns);
    for (uint32_t row = 0; row < matrix->rows; ++row) {
      matrix->ReadRow(row, values.data() + size_t{row} * matrix->columns);
    }
    for (float& value : values) value = RoundTo(value, type);
    *matrix = Keep(std::move(values), matrix->columns, storage.get());
  };
  for (FloatMatrix* matrix :
       {&rounded->token_embeddings, &rounded->position_embeddings, &rounded->type_embeddings}) {
    round(matrix);
  }
  for (BertLayer& layer : rounded->layers) {
    for (BertLinear* linear : {&layer.query, &layer.key, &layer.value, &layer.attention_output,
                               &layer.up, &layer.down}) {
      round(&linear->weight);
    }
  }
  rounded->storage = storage;
  return rounded;
}

float RoundTo(float value, FloatType type) {
  if (type == FloatType::kF32 || value == 0) return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  // The distance of neighbours there: 11 bits of precision and subnormals, or 8 bits.
  const int step = type == FloatType::kF16 ? std::max(exponent - 11, -24) : exponent - 8;
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(double{value}, -step)), step));
}

uint16_t BitsOf(float value, FloatType type) {
  const uint32_t bits = std::bit_cast<uint32_t>(RoundTo(value, type));
  if (type == FloatType::kBf16) return static_cast<uint16_t>(bits >> 16);
  const float magnitude = std::fabs(std::bit_cast<float>(bits));
  CHECK(magnitude <= 65504);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t rest = magnitude < 0x1p-14f ? static_cast<uint32_t>(magnitude * 0x1p24f)
                                             : ((bits & 0x7FFFFFFFu) - (112u << 23)) >> 13;
  return static_cast<uint16_t>(sign | rest);
}

void TinyGguf::Set(const std::string& name, uint32_t type, std::string bytes) {
  RemoveKey(name);
  keys.push_back({name, type, std::move(bytes)});
}

void TinyGguf::SetText(const std::string& name, const std::string& value) {
  Set(name, 8, TextBytes(value));
}

void TinyGguf::SetUint32(const std::string& name, uint32_t value) {
  Set(name, 4, BytesOfNumber(value));
}

void TinyGguf::SetFloat32(const std::string& name, float value) {
  Set(name, 6, BytesOfNumber(value));
}

void TinyGguf::SetBool(const std::string& name, bool value) {
  Set(name, 7, BytesOfNumber<uint8_t>(value ? 1 : 0));
}

void TinyGguf::RemoveKey(const std::string& name) {
  std::erase_if(keys, [&](const Key& key) { return key.name == name; });
}

TinyGguf::Tensor& TinyGguf::Find(const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  CHECK(found != tensors.end());
  return *found;
}

void TinyGguf::RemoveTensor(const std::string& name) {
  tensors.erase(tensors.begin() + (&Find(name) - tensors.data()));
}

std::string TinyGguf::Bytes() const {
  constexpr size_t kAlignment = 32;
  const auto pad = [](std::string* bytes) {
    bytes->resize((bytes->size() + kAlignment - 1) / kAlignment * kAlignment);
  };
  std::string file = "GGUF" + BytesOfNumber<uint32_t>(3) + BytesOfNumber<uint64_t>(tensors.size()) +
                     BytesOfNumber<uint64_t>(keys.size());
  for (const Key& key : keys) file += TextBytes(key.name) + BytesOfNumber(key.type) + key.bytes;
  std::string data;
  for (const Tensor& tensor : tensors) {
    file += TextBytes(tensor.name) +
            BytesOfNumber<uint32_t>(static_cast<uint32_t>(tensor.sizes.size()));
    for (const uint64_t size : tensor.sizes) file += BytesOfNumber(size);
    file += BytesOfNumber(tensor.type) + BytesOfNumber<uint64_t>(data.size());
    data += tensor.bytes;
    pad(&data);
  }
  pad(&file);
  return file + data;
}

TinyGguf TinyGgufOf(const BertModel& model, FloatType type) {
  const BertConfig& config = model.config;
  TinyGguf file;
  file.SetText("general.architecture", "bert");
  file.SetUint32("bert.context_length", config.positions);
  file.SetUint32("bert.embedding_length", config.hidden);
  file.SetUint32("bert.feed_forward_length", config.intermediate);
  file.SetUint32("bert.block_count", config.layers);
  file.SetUint32("bert.attention.head_count", config.heads);
  file.SetFloat32("bert.attention.layer_norm_epsilon", config.norm_epsilon);
  file.SetBool("bert.attention.causal", false);
  file.SetUint32("bert.pooling_type", config.pooling == Pooling::kMean ? 1 : 2);
  file.SetUint32("tokenizer.ggml.token_type_count", config.token_types);
  constexpr uint32_t kTypeNumbers[] = {0, 1, 30};
  const Names names(model);
  for (const Named& tensor : names.all()) {
    const FloatType stored = tensor.rows == 0 ? FloatType::kF32 : type;
    std::vector<uint64_t> sizes = {tensor.columns};
    if (tensor.rows != 0) sizes.push_back(tensor.rows);
    file.tensors.push_back({tensor.gguf, kTypeNumbers[static_cast<int>(stored)], std::move(sizes),
                            Encode(tensor.values, stored)});
  }
  return file;
}

void WriteTinyBertGguf(const BertModel& model, FloatType type, const fs::path& file) {
  WriteFile(file, TinyGgufOf(model, type).Bytes());
}

void WriteTinyBertFolder(const BertModel& model, FloatType type, const fs::path& folder) {
  WriteFolder(model, type, {"bert", 0}, folder);
  WriteFile(folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
}

void WriteTinyXlmRobertaFolder(const BertModel& model, FloatType type, const fs::path& folder) {
  CHECK(model.config.token_types == 1 && model.config.vocabulary >= TinyPieces().size());
  WriteFolder(model, type, {"xlm-roberta", 2}, folder);
  std::string vocabulary;
  for (const std::string& piece : TinyPieces()) {
    vocabulary += (vocabulary.empty() ? "[\"" : ",[\"") + piece + "\",-" +
                  std::to_string(10 - piece.size() / 2) + "]";
  }
  WriteFile(
      folder / "tokenizer.json",
      R"({"model":{"type":"Unigram","unk_id":3,"vocab":[)" + vocabulary +
          R"(]},"normalizer":null,"pre_tokenizer":{"type":"Metaspace"},)"
          R"("post_processor":{"type":"RobertaProcessing","cls":["<s>",0],"sep":["</s>",2]}})");
}

std::vector<std::string> TinyPieces() {
  std::vector<std::string> pieces = {"<s>", "<pad>", "</s>", "<unk>", "\xE2\x96\x81"};
  for (const char* piece : {"a", "b", "c", "d", "e"}) {
    pieces.push_back(piece);
    pieces.push_back(std::string("\xE2\x96\x81") + piece);
  }
  return pieces;
}

}  // namespace ragstone::llm

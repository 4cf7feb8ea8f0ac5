#include "tests/unit/llm/llama/tiny_models.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/check.h"
#include "base/file.h"
#include "llm/safetensors.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

void Write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

class Weights {
 public:
  explicit Weights(uint32_t seed) : random_(seed) {}
  // Uniform around `middle`, as bytes of 32-bit floats.
  std::string Bytes(size_t count, float middle, float spread) {
    std::string bytes(count * sizeof(float), '\0');
    for (size_t i = 0; i < count; ++i) {
      const float unit = static_cast<float>(random_() / 4294967296.0) * 2 - 1;
      const float value = middle + spread * unit;
      std::memcpy(bytes.data() + i * sizeof(float), &value, sizeof(value));
    }
    return bytes;
  }

 private:
  std::mt19937 random_;
};

struct BertTensor {
  std::string name;
  std::vector<uint64_t> shape;
  float middle = 0;
};

std::vector<BertTensor> BertTensors() {
  const uint64_t h = kTinyHidden, w = kTinyWide;
  std::vector<BertTensor> tensors = {
      {"embeddings.word_embeddings.weight", {kTinyVocabulary, h}},
      {"embeddings.position_embeddings.weight", {kTinyPositions, h}},
      {"embeddings.token_type_embeddings.weight", {2, h}},
      {"embeddings.LayerNorm.weight", {h}, 1},
      {"embeddings.LayerNorm.bias", {h}},
  };
  const std::string layer = "encoder.layer.0.";
  for (const char* name : {"attention.self.query", "attention.self.key", "attention.self.value",
                           "attention.output.dense"}) {
    tensors.push_back({layer + name + ".weight", {h, h}});
    tensors.push_back({layer + name + ".bias", {h}});
  }
  tensors.push_back({layer + "intermediate.dense.weight", {w, h}});
  tensors.push_back({layer + "intermediate.dense.bias", {w}});
  tensors.push_back({layer + "output.dense.weight", {h, w}});
  tensors.push_back({layer + "output.dense.bias", {h}});
  for (const char* name : {"attention.output.LayerNorm", "output.LayerNorm"}) {
    tensors.push_back({layer + name + ".weight", {h}, 1});
    tensors.push_back({layer + name + ".bias", {h}});
  }
  return tensors;
}

std::string BertSafetensors(uint32_t seed) {
  Weights weights(seed);
  Json header;
  std::string data;
  for (const BertTensor& tensor : BertTensors()) {
    size_t count = 1;
    for (const uint64_t size : tensor.shape) count *= size;
    const size_t begin = data.size();
    data += weights.Bytes(count, tensor.middle, 0.2f);
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const uint64_t size = text.size();
  std::string file(sizeof(size), '\0');
  std::memcpy(file.data(), &size, sizeof(size));
  return file + text + data;
}

using Rows = std::vector<std::vector<double>>;

Rows Linear(const Rows& x, const std::vector<float>& weight, const std::vector<float>& bias) {
  Rows y;
  for (const std::vector<double>& row : x) {
    std::vector<double> out(bias.begin(), bias.end());
    for (size_t o = 0; o < out.size(); ++o) {
      for (size_t i = 0; i < row.size(); ++i) out[o] += double{weight[o * row.size() + i]} * row[i];
    }
    y.push_back(std::move(out));
  }
  return y;
}

void Normalize(Rows* x, const std::vector<float>& weight, const std::vector<float>& bias) {
  for (std::vector<double>& row : *x) {
    double mean = 0, variance = 0;
    for (const double value : row) mean += value / static_cast<double>(row.size());
    for (const double value : row) {
      variance += (value - mean) * (value - mean) / static_cast<double>(row.size());
    }
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = (row[i] - mean) / std::sqrt(variance + 1e-12) * weight[i] + bias[i];
    }
  }
}

Rows Attention(const Rows& q, const Rows& k, const Rows& v) {
  constexpr size_t kWidth = kTinyHidden / kTinyHeads;
  Rows out(q.size(), std::vector<double>(kTinyHidden));
  for (size_t head = 0; head < kTinyHeads; ++head) {
    for (size_t i = 0; i < q.size(); ++i) {
      std::vector<double> scores(k.size());
      double total = 0;
      for (size_t j = 0; j < k.size(); ++j) {
        double dot = 0;
        for (size_t d = head * kWidth; d < (head + 1) * kWidth; ++d) dot += q[i][d] * k[j][d];
        scores[j] = std::exp(dot / std::sqrt(double{kWidth}));
        total += scores[j];
      }
      for (size_t j = 0; j < k.size(); ++j) {
        for (size_t d = head * kWidth; d < (head + 1) * kWidth; ++d) {
          out[i][d] += scores[j] / total * v[j][d];
        }
      }
    }
  }
  return out;
}

// Writes a GGUF file.
class GgufWriter {
 public:
  template <typename T>
  GgufWriter& Number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  GgufWriter& Text(const std::string& text) {
    Number<uint64_t>(text.size());
    bytes_ += text;
    return *this;
  }
  void KeyText(const std::string& key, const std::string& value) {
    Text(key).Number<uint32_t>(8).Text(value);
  }
  void KeyU32(const std::string& key, uint32_t value) {
    Text(key).Number<uint32_t>(4).Number(value);
  }
  void KeyF32(const std::string& key, float value) { Text(key).Number<uint32_t>(6).Number(value); }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

constexpr uint32_t kLlamaEmbedding = 64;
constexpr uint32_t kLlamaWide = 128;

// <unk>, <s>, </s>, every byte, and a few pieces that begin with the space mark.
std::vector<std::string> LlamaTokens() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    tokens.push_back(name);
  }
  for (const char* piece :
       {"\xE2\x96\x81", "\xE2\x96\x81the", "\xE2\x96\x81red", "green", "e", "r"}) {
    tokens.push_back(piece);
  }
  return tokens;
}

void WriteLlamaMetadata(GgufWriter* writer, uint32_t trained) {
  writer->KeyText("general.architecture", "llama");
  writer->KeyText("general.license", "test");
  writer->KeyU32("general.file_type", 0);
  writer->KeyU32("llama.context_length", trained);
  writer->KeyU32("llama.embedding_length", kLlamaEmbedding);
  writer->KeyU32("llama.feed_forward_length", kLlamaWide);
  writer->KeyU32("llama.block_count", 1);
  writer->KeyU32("llama.attention.head_count", 2);
  writer->KeyF32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  writer->KeyText("tokenizer.ggml.model", "llama");
  const std::vector<std::string> tokens = LlamaTokens();
  writer->Text("tokenizer.ggml.tokens").Number<uint32_t>(9).Number<uint32_t>(8);
  writer->Number<uint64_t>(tokens.size());
  for (const std::string& token : tokens) writer->Text(token);
  writer->Text("tokenizer.ggml.scores").Number<uint32_t>(9).Number<uint32_t>(6);
  writer->Number<uint64_t>(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) writer->Number<float>(-static_cast<float>(i));
  writer->Text("tokenizer.ggml.token_type").Number<uint32_t>(9).Number<uint32_t>(5);
  writer->Number<uint64_t>(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int32_t type = i == 0    ? 2
                         : i < 3   ? 3
                         : i < 259 ? 6
                                   : 1;  // unknown, control, byte, normal
    writer->Number<int32_t>(type);
  }
}

}  // namespace

void WriteTinyBert(const fs::path& folder, uint32_t seed) {
  fs::create_directories(folder / "1_Pooling");
  const Json config = {{"model_type", "bert"},
                       {"hidden_act", "gelu"},
                       {"num_hidden_layers", 1},
                       {"num_attention_heads", kTinyHeads},
                       {"hidden_size", kTinyHidden},
                       {"intermediate_size", kTinyWide},
                       {"max_position_embeddings", kTinyPositions},
                       {"type_vocab_size", 2},
                       {"vocab_size", kTinyVocabulary},
                       {"layer_norm_eps", 1e-12}};
  Write(folder / "config.json", config.dump());
  Write(folder / "modules.json",
        R"([{"path":"","type":"sentence_transformers.models.Transformer"},)"
        R"({"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},)"
        R"({"path":"2_Normalize","type":"sentence_transformers.models.Normalize"}])");
  Write(folder / "1_Pooling" / "config.json", R"({"pooling_mode_mean_tokens":true})");
  Write(folder / "sentence_bert_config.json", Json({{"max_seq_length", kTinyLimit}}).dump());
  Json vocabulary = {{"[PAD]", 0}, {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}};
  for (int i = 0; i < 26; ++i) {
    vocabulary[std::string(1, static_cast<char>('a' + i))] = 4 + i;
    vocabulary["##" + std::string(1, static_cast<char>('a' + i))] = 30 + i;
  }
  Write(folder / "tokenizer.json",
        Json({{"model", {{"type", "WordPiece"}, {"vocab", vocabulary}}}}).dump());
  Write(folder / "model.safetensors", BertSafetensors(seed));
}

std::vector<double> TinyBertVector(const fs::path& folder, const std::vector<int32_t>& ids) {
  const Result<std::string> file = ReadFile(folder / "model.safetensors");
  CHECK(file.ok());
  const Result<SafeTensors> tensors = ParseSafetensors(*file);
  CHECK(tensors.ok());
  const auto get = [&](const std::string& name) { return *TensorToFloats(tensors->at(name)); };
  const std::string layer = "encoder.layer.0.";
  const auto linear = [&](const Rows& x, const std::string& name) {
    return Linear(x, get(layer + name + ".weight"), get(layer + name + ".bias"));
  };
  const std::vector<float> words = get("embeddings.word_embeddings.weight");
  const std::vector<float> positions = get("embeddings.position_embeddings.weight");
  const std::vector<float> types = get("embeddings.token_type_embeddings.weight");
  Rows x;
  for (size_t p = 0; p < ids.size(); ++p) {
    std::vector<double> row(kTinyHidden);
    for (size_t i = 0; i < kTinyHidden; ++i) {
      row[i] = double{words[static_cast<size_t>(ids[p]) * kTinyHidden + i]} +
               positions[p * kTinyHidden + i] + types[i];
    }
    x.push_back(std::move(row));
  }
  Normalize(&x, get("embeddings.LayerNorm.weight"), get("embeddings.LayerNorm.bias"));
  const auto add = [](Rows* to, const Rows& from) {
    for (size_t r = 0; r < to->size(); ++r) {
      for (size_t i = 0; i < (*to)[r].size(); ++i) (*to)[r][i] += from[r][i];
    }
  };
  add(&x, linear(Attention(linear(x, "attention.self.query"), linear(x, "attention.self.key"),
                           linear(x, "attention.self.value")),
                 "attention.output.dense"));
  Normalize(&x, get(layer + "attention.output.LayerNorm.weight"),
            get(layer + "attention.output.LayerNorm.bias"));
  Rows wide = linear(x, "intermediate.dense");
  for (std::vector<double>& row : wide) {
    for (double& value : row) value *= 0.5 * (1 + std::erf(value / std::sqrt(2.0)));
  }
  add(&x, linear(wide, "output.dense"));
  Normalize(&x, get(layer + "output.LayerNorm.weight"), get(layer + "output.LayerNorm.bias"));
  std::vector<double> mean(kTinyHidden);
  double squares = 0;
  for (const std::vector<double>& row : x) {
    for (size_t i = 0; i < kTinyHidden; ++i) mean[i] += row[i] / static_cast<double>(x.size());
  }
  for (const double value : mean) squares += value * value;
  for (double& value : mean) value /= std::sqrt(squares);
  return mean;
}

void WriteTinyLlama(const fs::path& file, uint32_t seed, uint32_t trained) {
  const uint64_t embedding = kLlamaEmbedding, wide = kLlamaWide, vocabulary = LlamaTokens().size();
  struct Tensor {
    std::string name;
    std::vector<uint64_t> shape;  // columns first
    float middle = 0;
  };
  const std::vector<Tensor> tensors = {
      {"token_embd.weight", {embedding, vocabulary}},
      {"output_norm.weight", {embedding}, 1},
      {"output.weight", {embedding, vocabulary}},
      {"blk.0.attn_norm.weight", {embedding}, 1},
      {"blk.0.attn_q.weight", {embedding, embedding}},
      {"blk.0.attn_k.weight", {embedding, embedding}},
      {"blk.0.attn_v.weight", {embedding, embedding}},
      {"blk.0.attn_output.weight", {embedding, embedding}},
      {"blk.0.ffn_norm.weight", {embedding}, 1},
      {"blk.0.ffn_gate.weight", {embedding, wide}},
      {"blk.0.ffn_up.weight", {embedding, wide}},
      {"blk.0.ffn_down.weight", {wide, embedding}},
  };
  constexpr uint64_t kKeys = 13;
  GgufWriter writer;
  writer.bytes() += "GGUF";
  writer.Number<uint32_t>(3).Number<uint64_t>(tensors.size()).Number<uint64_t>(kKeys);
  WriteLlamaMetadata(&writer, trained);
  Weights weights(seed);
  std::string data;
  for (const Tensor& tensor : tensors) {
    uint64_t count = 1;
    for (const uint64_t size : tensor.shape) count *= size;
    writer.Text(tensor.name).Number<uint32_t>(static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t size : tensor.shape) writer.Number<uint64_t>(size);
    writer.Number<uint32_t>(0).Number<uint64_t>(data.size());
    data += weights.Bytes(count, tensor.middle, 0.3f);
    data.resize((data.size() + 31) / 32 * 32);
  }
  std::string bytes = writer.bytes();
  bytes.resize((bytes.size() + 31) / 32 * 32);
  Write(file, bytes + data);
}

}  // namespace ragstone::llm

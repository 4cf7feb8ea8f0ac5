#include "llm/sentence_transformer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace ragstone::llm {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;
constexpr uint32_t kNumberMax = 1 << 24;

Status Corrupt(const fs::path& file, const std::string& what) {
  return InvalidArgument(Reason::kModelCorrupt, file.string() + ": " + what);
}

Status Unsupported(const fs::path& file, const std::string& what) {
  return InvalidArgument(Reason::kModelUnsupported, file.string() + ": " + what);
}

Result<Json> ReadJson(const fs::path& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kFileBytesMax));
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Corrupt(file, "is not JSON");
  return json;
}

Result<uint32_t> Number(const fs::path& file, const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number_unsigned() || found->get<uint64_t>() == 0 ||
      found->get<uint64_t>() > kNumberMax) {
    return Corrupt(file, std::string(key) + " is missing or no number from 1 to " +
                             std::to_string(kNumberMax));
  }
  return found->get<uint32_t>();
}

std::string Text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool Flag(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}

Status ReadFirstPosition(const fs::path& file, const Json& json, SentenceTransformer* model) {
  uint64_t padding = 1;  // where the file does not say it
  if (const auto found = json.find("pad_token_id"); found != json.end()) {
    if (!found->is_number_unsigned()) return Corrupt(file, "pad_token_id is not a number");
    padding = found->get<uint64_t>();
  }
  if (padding >= model->positions - 1) {
    return Corrupt(file, "pad_token_id is " + std::to_string(padding) + ": of " +
                             std::to_string(model->positions) +
                             " positions none is left behind it");
  }
  model->first_position = static_cast<uint32_t>(padding) + 1;
  return OkStatus();
}

Status ReadConfig(const fs::path& folder, SentenceTransformer* model) {
  const fs::path file = folder / "config.json";
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  if (!json.is_object()) return Corrupt(file, "is not an object");
  const std::string type = Text(json, "model_type");
  if (type != "bert" && type != "xlm-roberta") {
    return Unsupported(file, "model_type is '" + type +
                                 "'; only 'bert' and 'xlm-roberta' are converted. Look for a GGUF "
                                 "file of this model");
  }
  const std::string position = Text(json, "position_embedding_type");
  if (!position.empty() && position != "absolute") {
    return Unsupported(file, "position_embedding_type '" + position + "' is not 'absolute'");
  }
  if (Text(json, "hidden_act") != "gelu") {
    return Unsupported(file, "hidden_act '" + Text(json, "hidden_act") + "' is not 'gelu'");
  }
  ASSIGN_OR_RETURN(model->layers, Number(file, json, "num_hidden_layers"));
  ASSIGN_OR_RETURN(model->heads, Number(file, json, "num_attention_heads"));
  ASSIGN_OR_RETURN(model->hidden, Number(file, json, "hidden_size"));
  ASSIGN_OR_RETURN(model->intermediate, Number(file, json, "intermediate_size"));
  ASSIGN_OR_RETURN(model->positions, Number(file, json, "max_position_embeddings"));
  ASSIGN_OR_RETURN(model->token_types, Number(file, json, "type_vocab_size"));
  ASSIGN_OR_RETURN(model->vocabulary, Number(file, json, "vocab_size"));
  if (type == "xlm-roberta") RETURN_IF_ERROR(ReadFirstPosition(file, json, model));
  if (model->layers > 512 || model->hidden % model->heads != 0) {
    return Corrupt(file, "num_hidden_layers, num_attention_heads and hidden_size do not fit");
  }
  const auto epsilon = json.find("layer_norm_eps");
  model->norm_epsilon =
      epsilon != json.end() && epsilon->is_number() ? epsilon->get<float>() : 1e-12f;
  return OkStatus();
}

Status ReadPooling(const fs::path& file, SentenceTransformer* model) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  if (!json.is_object()) return Corrupt(file, "is not an object");
  const bool mean = Flag(json, "pooling_mode_mean_tokens");
  const bool cls = Flag(json, "pooling_mode_cls_token");
  const bool other =
      Flag(json, "pooling_mode_max_tokens") || Flag(json, "pooling_mode_mean_sqrt_len_tokens") ||
      Flag(json, "pooling_mode_weightedmean_tokens") || Flag(json, "pooling_mode_lasttoken");
  if (other || mean == cls) return Unsupported(file, "pooling is neither mean alone nor cls alone");
  model->pooling = mean ? "mean" : "cls";
  return OkStatus();
}

// The chain of modules: Transformer, Pooling, and Normalize at most.
Status ReadModules(const fs::path& folder, SentenceTransformer* model) {
  const fs::path file = folder / "modules.json";
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  if (!json.is_array()) return Corrupt(file, "is not a list");
  fs::path pooling;
  for (const Json& module : json) {
    if (!module.is_object()) return Corrupt(file, "has an entry that is not an object");
    const std::string type = Text(module, "type");
    const std::string path = Text(module, "path");
    if (type.ends_with(".Transformer")) {
      if (!path.empty()) return Unsupported(file, "the weights are in a folder of their own");
    } else if (type.ends_with(".Pooling")) {
      if (path.empty() || path.find('/') != std::string::npos || path.front() == '.') {
        return Corrupt(file, "the path of the pooling module is '" + path + "'");
      }
      pooling = folder / path / "config.json";
    } else if (type.ends_with(".Normalize")) {
      model->normalize = true;
    } else {
      return Unsupported(file,
                         "module type '" + type + "' is not Transformer, Pooling or Normalize");
    }
  }
  if (pooling.empty()) return Corrupt(file, "names no pooling module");
  return ReadPooling(pooling, model);
}

Status ReadLimit(const fs::path& folder, SentenceTransformer* model) {
  const uint32_t most = model->positions - model->first_position;
  model->tokens_max = most;
  const fs::path file = folder / "sentence_bert_config.json";
  std::error_code error;
  if (!fs::exists(file, error)) return OkStatus();
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  if (!json.is_object()) return Corrupt(file, "is not an object");
  if (!json.contains("max_seq_length") || json["max_seq_length"].is_null()) return OkStatus();
  ASSIGN_OR_RETURN(const uint32_t limit, Number(file, json, "max_seq_length"));
  model->tokens_max = std::min(limit, most);
  return OkStatus();
}

Status PutToken(const fs::path& file, std::string_view token, uint64_t id,
                SentenceTransformer* model) {
  if (id >= model->tokens.size()) {
    return Corrupt(file, "token id " + std::to_string(id) + " is beyond the vocabulary of " +
                             std::to_string(model->tokens.size()));
  }
  if (token.find('\0') != std::string_view::npos) return Corrupt(file, "a token has a zero byte");
  model->tokens[id] = token;
  return OkStatus();
}

// Only the size: what the pieces are is our tokeniser's concern.
Status ReadUnigram(const fs::path& file, const Json& inner, SentenceTransformer* model) {
  if (!inner.contains("vocab") || !inner["vocab"].is_array()) {
    return Corrupt(file, "has no list of pieces, vocab");
  }
  if (inner["vocab"].size() > model->vocabulary) {
    return Corrupt(file, "has " + std::to_string(inner["vocab"].size()) +
                             " pieces, more than the model's vocabulary of " +
                             std::to_string(model->vocabulary));
  }
  model->tokenizer = TokenizerKind::kUnigram;
  model->tokens.clear();
  return OkStatus();
}

Status ReadTokenizerJson(const fs::path& file, SentenceTransformer* model) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(file));
  if (!json.is_object() || !json.contains("model") || !json["model"].is_object()) {
    return Corrupt(file, "has no model");
  }
  const Json& inner = json["model"];
  if (Text(inner, "type") == "Unigram") return ReadUnigram(file, inner, model);
  if (inner.contains("type") && Text(inner, "type") != "WordPiece") {
    return Unsupported(
        file, "the tokeniser '" + Text(inner, "type") + "' is neither WordPiece nor Unigram");
  }
  if (!inner.contains("vocab") || !inner["vocab"].is_object()) return Corrupt(file, "has no vocab");
  for (const auto& [token, id] : inner["vocab"].items()) {
    if (!id.is_number_unsigned()) return Corrupt(file, "a token id is not a number");
    RETURN_IF_ERROR(PutToken(file, token, id.get<uint64_t>(), model));
  }
  return OkStatus();
}

Status ReadVocabulary(const fs::path& folder, SentenceTransformer* model) {
  model->tokens.resize(model->vocabulary);
  std::error_code error;
  if (fs::exists(folder / "tokenizer.json", error)) {
    RETURN_IF_ERROR(ReadTokenizerJson(folder / "tokenizer.json", model));
  } else {
    const fs::path file = folder / "vocab.txt";
    ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kFileBytesMax));
    uint64_t id = 0;
    for (size_t begin = 0; begin < text.size(); ++id) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      RETURN_IF_ERROR(PutToken(file, std::string_view(text).substr(begin, end - begin), id, model));
      begin = end + 1;
    }
  }
  // Unused rows at the end of the table still need a name.
  for (size_t id = 0; id < model->tokens.size(); ++id) {
    if (model->tokens[id].empty()) model->tokens[id] = "[unused_row_" + std::to_string(id) + "]";
  }
  return OkStatus();
}

// The licence in the front matter of README.md: between two lines "---", the line "license: ...".
std::string ReadLicense(const fs::path& folder) {
  const Result<std::string> text = ReadFile(folder / "README.md", kFileBytesMax);
  if (!text.ok() || !text->starts_with("---")) return {};
  const size_t end = text->find("\n---", 3);
  if (end == std::string::npos) return {};
  const std::string front = text->substr(0, end + 1);
  constexpr std::string_view kKey = "\nlicense:";
  const size_t at = front.find(kKey);
  if (at == std::string::npos) return {};
  std::string license = front.substr(at + kKey.size(), front.find('\n', at + 1) - at - kKey.size());
  std::erase_if(license, [](char c) { return c == ' ' || c == '"' || c == '\r' || c == '\''; });
  return license.substr(0, 100);
}

}  // namespace

Result<SentenceTransformer> ReadSentenceTransformer(const fs::path& folder) {
  SentenceTransformer model;
  RETURN_IF_ERROR(ReadConfig(folder, &model));
  RETURN_IF_ERROR(ReadModules(folder, &model));
  RETURN_IF_ERROR(ReadLimit(folder, &model));
  RETURN_IF_ERROR(ReadVocabulary(folder, &model));
  model.license = ReadLicense(folder);
  model.name = fs::path(folder).filename().string();
  return model;
}

std::string_view WithoutModelName(std::string_view tensor) {
  for (const std::string_view name : {"bert.", "roberta."}) {
    if (tensor.starts_with(name)) return tensor.substr(name.size());
  }
  return tensor;
}

}  // namespace ragstone::llm

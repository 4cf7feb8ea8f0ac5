#include "llm/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/file.h"
#include "llm/wordpiece.h"

namespace ragstone::llm {
namespace {

using Json = nlohmann::json;

// The largest vocabularies in use have a quarter of a million entries and less than 20 MB of JSON.
constexpr uint64_t kFileBytesMax = 64 << 20;
constexpr size_t kVocabularyMax = 1 << 20;

Status Unsupported(const std::string& what, const std::string& found) {
  return Status(StatusCode::kUnimplemented, Reason::kModelUnsupported,
                "tokeniser: " + what + " is \"" + found +
                    "\", only BERT's WordPiece is built; use a BERT-type embedding model such as "
                    "all-MiniLM-L6-v2 or bge-small-en-v1.5");
}

Status Corrupt(const std::string& what) {
  return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                "tokeniser: " + what + "; fetch the model's files again");
}

// The field as T, or `fallback` if it is missing, null or of another type.
template <typename T>
T Get(const Json& object, const char* field, T fallback) {
  const auto at = object.is_object() ? object.find(field) : object.end();
  if (!object.is_object() || at == object.end()) return fallback;
  if constexpr (std::is_same_v<T, bool>) {
    return at->is_boolean() ? at->get<bool>() : fallback;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return at->is_string() ? at->get<std::string>() : fallback;
  } else {
    return at->is_number_integer() ? at->get<T>() : fallback;
  }
}

const Json& Field(const Json& object, const char* field) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto at = object.find(field);
  return at == object.end() ? kNull : *at;
}

Result<Json> ReadJson(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytesMax));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return Corrupt(path.string() + " is not a JSON object");
  }
  return json;
}

bool AccentsStripped(const Json& value, bool lowercase) {
  return value.is_boolean() ? value.get<bool>() : lowercase;
}

Result<int32_t> TokenId(const WordPieceOptions& options, const std::string& token) {
  for (const auto& [content, id] : options.vocabulary) {
    if (content == token) return id;
  }
  for (const AddedToken& added : options.added) {
    if (added.content == token) return added.id;
  }
  return Corrupt("the vocabulary has no \"" + token + "\"");
}

Status ReadVocabulary(const Json& vocabulary, WordPieceOptions& options) {
  if (!vocabulary.is_object() || vocabulary.size() > kVocabularyMax) {
    return Corrupt("model.vocab is not an object of at most " + std::to_string(kVocabularyMax) +
                   " tokens");
  }
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > kVocabularyMax) {
      return Corrupt("the id of \"" + token + "\" is not a number up to " +
                     std::to_string(kVocabularyMax));
    }
    options.vocabulary.emplace_back(token, id.get<int32_t>());
  }
  return OkStatus();
}

Status ReadAddedTokens(const Json& tokens, WordPieceOptions& options) {
  if (tokens.is_null()) return OkStatus();
  // A token that the vocabulary has too keeps the vocabulary's id, whatever the list says.
  std::unordered_map<std::string_view, int32_t> known;
  for (const auto& [token, id] : options.vocabulary) known.emplace(token, id);
  if (!tokens.is_array() || tokens.size() > kVocabularyMax) {
    return Corrupt("added_tokens is not a list");
  }
  for (const Json& token : tokens) {
    AddedToken added;
    added.content = Get<std::string>(token, "content", "");
    added.id = Get<int32_t>(token, "id", -1);
    added.normalized = Get(token, "normalized", !Get(token, "special", false));
    added.lstrip = Get(token, "lstrip", false);
    added.rstrip = Get(token, "rstrip", false);
    if (added.content.empty() || added.id < 0 || added.id > static_cast<int32_t>(kVocabularyMax)) {
      return Corrupt("an added token has no content or no id");
    }
    if (Get(token, "single_word", false)) {
      return Unsupported("single_word of the added token \"" + added.content + "\"", "true");
    }
    const auto at = known.find(added.content);
    if (at != known.end()) added.id = at->second;
    options.added.push_back(std::move(added));
  }
  return OkStatus();
}

// The special tokens around a single text, as TemplateProcessing or BertProcessing give them.
Status ReadPostProcessor(const Json& processor, WordPieceOptions& options) {
  if (processor.is_null()) return OkStatus();
  const std::string type = Get<std::string>(processor, "type", "");
  if (type == "BertProcessing") {
    for (const auto& [name, ids] : {std::pair("cls", &options.before), {"sep", &options.after}}) {
      const Json& pair = Field(processor, name);
      if (!pair.is_array() || pair.size() != 2 || !pair[1].is_number_unsigned()) {
        return Corrupt(std::string("post_processor.") + name + " is not a token and its id");
      }
      ids->push_back(pair[1].get<int32_t>());
    }
    return OkStatus();
  }
  if (type != "TemplateProcessing") return Unsupported("post_processor.type", type);
  const Json& single = Field(processor, "single");
  if (!single.is_array()) return Corrupt("post_processor.single is not a list");
  bool behind = false;
  for (const Json& part : single) {
    if (!Field(part, "Sequence").is_null()) {
      behind = true;
      continue;
    }
    const std::string token = Get<std::string>(Field(part, "SpecialToken"), "id", "");
    const Json& ids = Field(Field(Field(processor, "special_tokens"), token.c_str()), "ids");
    if (!ids.is_array()) return Corrupt("post_processor.special_tokens lacks \"" + token + "\"");
    for (const Json& id : ids) {
      if (!id.is_number_unsigned()) return Corrupt("an id of \"" + token + "\" is not a number");
      (behind ? options.after : options.before).push_back(id.get<int32_t>());
    }
  }
  return OkStatus();
}

Result<WordPieceOptions> FromTokenizerJson(const Json& json) {
  WordPieceOptions options;
  const Json& model = Field(json, "model");
  // Files of before 2020 name no type; their vocabulary and continuation prefix tell.
  const std::string type = Get<std::string>(model, "type", "");
  if (type != "WordPiece" && !(type.empty() && model.contains("continuing_subword_prefix"))) {
    return Unsupported("model.type", type);
  }
  const Json& normalizer = Field(json, "normalizer");
  if (Get<std::string>(normalizer, "type", "") != "BertNormalizer") {
    return Unsupported("normalizer.type", Get<std::string>(normalizer, "type", ""));
  }
  const Json& splitter = Field(json, "pre_tokenizer");
  if (Get<std::string>(splitter, "type", "") != "BertPreTokenizer") {
    return Unsupported("pre_tokenizer.type", Get<std::string>(splitter, "type", ""));
  }
  options.normalizer.clean_text = Get(normalizer, "clean_text", true);
  options.normalizer.handle_chinese_chars = Get(normalizer, "handle_chinese_chars", true);
  options.normalizer.lowercase = Get(normalizer, "lowercase", true);
  options.normalizer.strip_accents =
      AccentsStripped(Field(normalizer, "strip_accents"), options.normalizer.lowercase);
  options.unknown = Get<std::string>(model, "unk_token", "[UNK]");
  options.continuation = Get<std::string>(model, "continuing_subword_prefix", "##");
  options.word_chars_max = Get<uint32_t>(model, "max_input_chars_per_word", 100);
  RETURN_IF_ERROR(ReadVocabulary(Field(model, "vocab"), options));
  RETURN_IF_ERROR(ReadAddedTokens(Field(json, "added_tokens"), options));
  RETURN_IF_ERROR(ReadPostProcessor(Field(json, "post_processor"), options));
  return options;
}

// A special token in tokenizer_config.json is a string or an object with `content`.
std::string TokenName(const Json& config, const char* field, const char* fallback) {
  const Json& value = Field(config, field);
  return value.is_object() ? Get<std::string>(value, "content", fallback)
                           : Get<std::string>(config, field, fallback);
}

Result<WordPieceOptions> FromVocabulary(const std::string& vocabulary, const Json& config) {
  WordPieceOptions options;
  int32_t id = 0;
  for (size_t at = 0; at < vocabulary.size(); ++id) {
    size_t end = std::min(vocabulary.find('\n', at), vocabulary.size());
    std::string token = vocabulary.substr(at, end - at);
    at = end + 1;
    while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) token.pop_back();
    if (!token.empty()) options.vocabulary.emplace_back(std::move(token), id);
  }
  if (options.vocabulary.size() > kVocabularyMax) {
    return Corrupt("vocab.txt has more than " + std::to_string(kVocabularyMax) + " tokens");
  }
  options.normalizer.lowercase = Get(config, "do_lower_case", true);
  options.normalizer.handle_chinese_chars = Get(config, "tokenize_chinese_chars", true);
  options.normalizer.strip_accents =
      AccentsStripped(Field(config, "strip_accents"), options.normalizer.lowercase);
  options.unknown = TokenName(config, "unk_token", "[UNK]");
  const std::string cls = TokenName(config, "cls_token", "[CLS]");
  const std::string sep = TokenName(config, "sep_token", "[SEP]");
  for (const std::string& token :
       {options.unknown, cls, sep, TokenName(config, "pad_token", "[PAD]"),
        TokenName(config, "mask_token", "[MASK]")}) {
    const auto found = TokenId(options, token);
    if (found.ok()) options.added.push_back({token, *found, false, false, false});
  }
  ASSIGN_OR_RETURN(const int32_t cls_id, TokenId(options, cls));
  ASSIGN_OR_RETURN(const int32_t sep_id, TokenId(options, sep));
  options.before = {cls_id};
  options.after = {sep_id};
  return options;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::exists(folder / "tokenizer.json", error)) {
    ASSIGN_OR_RETURN(const Json json, ReadJson(folder / "tokenizer.json"));
    ASSIGN_OR_RETURN(WordPieceOptions options, FromTokenizerJson(json));
    return NewWordPieceTokenizer(std::move(options));
  }
  if (!std::filesystem::exists(folder / "vocab.txt", error)) {
    return NotFound(Reason::kModelNotFound,
                    "tokeniser: " + folder.string() +
                        " has neither tokenizer.json nor vocab.txt; import the model from its "
                        "sentence-transformers folder");
  }
  ASSIGN_OR_RETURN(const std::string vocabulary, ReadFile(folder / "vocab.txt", kFileBytesMax));
  Json config = Json::object();
  if (std::filesystem::exists(folder / "tokenizer_config.json", error)) {
    ASSIGN_OR_RETURN(config, ReadJson(folder / "tokenizer_config.json"));
  }
  const std::string type = Get<std::string>(config, "tokenizer_class", "BertTokenizer");
  if (type != "BertTokenizer" && type != "BertTokenizerFast") {
    return Unsupported("tokenizer_class", type);
  }
  ASSIGN_OR_RETURN(WordPieceOptions options, FromVocabulary(vocabulary, config));
  return NewWordPieceTokenizer(std::move(options));
}

}  // namespace ragstone::llm

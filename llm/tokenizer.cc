#include "llm/tokenizer.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/file.h"
#include "llm/tokenizer_json.h"
#include "llm/unigram_json.h"
#include "llm/wordpiece.h"

namespace ragstone::llm {
namespace {

constexpr uint64_t kVocabularyBytesMax = 64 << 20;

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
  return CorruptTokenizer("the vocabulary has no \"" + token + "\"");
}

Status ReadVocabulary(const Json& vocabulary, WordPieceOptions& options) {
  if (!vocabulary.is_object() || vocabulary.size() > kTokenizerVocabularyMax) {
    return CorruptTokenizer("model.vocab is not an object of at most " +
                            std::to_string(kTokenizerVocabularyMax) + " tokens");
  }
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > kTokenizerVocabularyMax) {
      return CorruptTokenizer("the id of \"" + token + "\" is not a number up to " +
                              std::to_string(kTokenizerVocabularyMax));
    }
    options.vocabulary.emplace_back(token, id.get<int32_t>());
  }
  return OkStatus();
}

Result<WordPieceOptions> FromTokenizerJson(const Json& json) {
  WordPieceOptions options;
  const Json& model = Field(json, "model");
  // Files of before 2020 name no type; their vocabulary and continuation prefix tell.
  const std::string type = Get<std::string>(model, "type", "");
  if (type != "WordPiece" && !(type.empty() && model.contains("continuing_subword_prefix"))) {
    return UnsupportedTokenizer("model.type", type);
  }
  const Json& normalizer = Field(json, "normalizer");
  if (Get<std::string>(normalizer, "type", "") != "BertNormalizer") {
    return UnsupportedTokenizer("normalizer.type", Get<std::string>(normalizer, "type", ""));
  }
  const Json& splitter = Field(json, "pre_tokenizer");
  if (Get<std::string>(splitter, "type", "") != "BertPreTokenizer") {
    return UnsupportedTokenizer("pre_tokenizer.type", Get<std::string>(splitter, "type", ""));
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
  std::unordered_map<std::string_view, int32_t> known;
  for (const auto& [token, id] : options.vocabulary) known.emplace(token, id);
  ASSIGN_OR_RETURN(options.added, ReadAddedTokens(Field(json, "added_tokens"), known));
  ASSIGN_OR_RETURN(SurroundingIds around, ReadPostProcessor(Field(json, "post_processor")));
  options.before = std::move(around.before);
  options.after = std::move(around.after);
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
  if (options.vocabulary.size() > kTokenizerVocabularyMax) {
    return CorruptTokenizer("vocab.txt has more than " + std::to_string(kTokenizerVocabularyMax) +
                            " tokens");
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
    ASSIGN_OR_RETURN(const Json json, ReadTokenizerJson(folder / "tokenizer.json"));
    if (Get<std::string>(Field(json, "model"), "type", "") == "Unigram") {
      ASSIGN_OR_RETURN(UnigramOptions options, ReadUnigramJson(json));
      return NewUnigramTokenizer(std::move(options));
    }
    ASSIGN_OR_RETURN(WordPieceOptions options, FromTokenizerJson(json));
    return NewWordPieceTokenizer(std::move(options));
  }
  if (!std::filesystem::exists(folder / "vocab.txt", error)) {
    return NotFound(Reason::kModelNotFound,
                    "tokeniser: " + folder.string() +
                        " has neither tokenizer.json nor vocab.txt; import the model from its "
                        "sentence-transformers folder");
  }
  ASSIGN_OR_RETURN(const std::string vocabulary,
                   ReadFile(folder / "vocab.txt", kVocabularyBytesMax));
  Json config = Json::object();
  if (std::filesystem::exists(folder / "tokenizer_config.json", error)) {
    ASSIGN_OR_RETURN(config, ReadTokenizerJson(folder / "tokenizer_config.json"));
  }
  const std::string type = Get<std::string>(config, "tokenizer_class", "BertTokenizer");
  if (type != "BertTokenizer" && type != "BertTokenizerFast") {
    return UnsupportedTokenizer("tokenizer_class", type);
  }
  ASSIGN_OR_RETURN(WordPieceOptions options, FromVocabulary(vocabulary, config));
  return NewWordPieceTokenizer(std::move(options));
}

}  // namespace ragstone::llm

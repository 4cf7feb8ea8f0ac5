#include "llm/tokenizer_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/file.h"

namespace ragstone::llm {
namespace {

// The largest vocabularies in use have a quarter of a million entries and less than 20 MB of JSON.
constexpr uint64_t kFileBytesMax = 64 << 20;

// 10^exponent, correctly rounded; infinity beyond the range of double.
double PowerOfTen(int exponent) {
  if (exponent > std::numeric_limits<double>::max_exponent10) {
    return std::numeric_limits<double>::infinity();
  }
  const std::string text = "1e" + std::to_string(exponent);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// serde_json's rounding: as many leading digits as 64 bits hold, rounded once to double, then
// multiplied or divided by a power of ten. `text` is a valid JSON number.
double SerdeNumber(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  uint64_t digits = 0;
  int exponent = 0;
  bool fraction = false, full = false;
  size_t at = 0;
  for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
    if (text[at] == '.') {
      fraction = true;
      continue;
    }
    const auto digit = static_cast<uint64_t>(text[at] - '0');
    full = full || digits > (std::numeric_limits<uint64_t>::max() - digit) / 10;
    if (!full) digits = digits * 10 + digit;
    exponent += fraction ? (full ? 0 : -1) : (full ? 1 : 0);
  }
  if (at < text.size()) {
    const char* begin = text.data() + at + 1;
    int written = 0;
    if (*begin == '+') ++begin;
    const auto read = std::from_chars(begin, text.data() + text.size(), written);
    if (read.ec != std::errc()) written = *begin == '-' ? -100000 : 100000;
    exponent += std::clamp(written, -100000, 100000);
  }
  auto value = static_cast<double>(digits);
  if (exponent >= 0 && value != 0) {
    value *= PowerOfTen(exponent);
  } else {
    constexpr int kStep = std::numeric_limits<double>::max_exponent10;
    for (; exponent < -kStep && value != 0; exponent += kStep) value /= PowerOfTen(kStep);
    if (value != 0) value /= PowerOfTen(-exponent);
  }
  return negative ? -value : value;
}

// Builds the document from the parser's events, with numbers rounded by SerdeNumber.
class DocumentBuilder : public nlohmann::json_sax<Json> {
 public:
  Json Take() { return std::move(root_); }

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t, const string_t& text) override {
    const double value = SerdeNumber(text);
    return std::isfinite(value) && Put(value);
  }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Json::object()); }
  bool key(string_t& value) override {
    slot_ = &(*open_.back())[std::move(value)];
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return Open(Json::array()); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  // Where the next value goes: behind the last one of an array, or to the key just read.
  Json* Place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool Put(Json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(Json value) {
    open_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  Json* slot_ = nullptr;
  std::vector<Json*> open_;  // an array does not grow while one of its elements is open
};

// Ids are 31-bit numbers.
bool IsId(const Json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= INT32_MAX;
}

Result<std::vector<int32_t>> ReadPair(const Json& processor, const char* name) {
  const Json& pair = Field(processor, name);
  if (!pair.is_array() || pair.size() != 2 || !IsId(pair[1])) {
    return CorruptTokenizer(std::string("post_processor.") + name + " is not a token and its id");
  }
  return std::vector<int32_t>{pair[1].get<int32_t>()};
}

Result<SurroundingIds> ReadTemplate(const Json& processor) {
  const Json& single = Field(processor, "single");
  if (!single.is_array()) return CorruptTokenizer("post_processor.single is not a list");
  SurroundingIds around;
  bool behind = false;
  for (const Json& part : single) {
    if (!Field(part, "Sequence").is_null()) {
      behind = true;
      continue;
    }
    const std::string token = Get<std::string>(Field(part, "SpecialToken"), "id", "");
    const Json& ids = Field(Field(Field(processor, "special_tokens"), token), "ids");
    if (!ids.is_array()) {
      return CorruptTokenizer("post_processor.special_tokens lacks \"" + token + "\"");
    }
    for (const Json& id : ids) {
      if (!IsId(id)) {
        return CorruptTokenizer("an id of \"" + token + "\" is not a number");
      }
      (behind ? around.after : around.before).push_back(id.get<int32_t>());
    }
  }
  return around;
}

}  // namespace

const Json& Field(const Json& object, std::string_view field) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto at = object.find(std::string(field));
  return at == object.end() ? kNull : *at;
}

Result<Json> ReadTokenizerJson(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytesMax));
  DocumentBuilder builder;
  const bool parsed = Json::sax_parse(text, &builder);
  Json json = builder.Take();
  if (!parsed || !json.is_object()) {
    return CorruptTokenizer(path.string() + " is not a JSON object");
  }
  return json;
}

Result<std::vector<AddedToken>> ReadAddedTokens(
    const Json& tokens, const std::unordered_map<std::string_view, int32_t>& vocabulary) {
  std::vector<AddedToken> all;
  if (tokens.is_null()) return all;
  if (!tokens.is_array() || tokens.size() > kTokenizerVocabularyMax) {
    return CorruptTokenizer("added_tokens is not a list");
  }
  for (const Json& token : tokens) {
    AddedToken added;
    added.content = Get<std::string>(token, "content", "");
    const auto id = Get<int64_t>(token, "id", -1);
    added.normalized = Get(token, "normalized", !Get(token, "special", false));
    added.lstrip = Get(token, "lstrip", false);
    added.rstrip = Get(token, "rstrip", false);
    if (added.content.empty() || id < 0 || id > static_cast<int64_t>(kTokenizerVocabularyMax)) {
      return CorruptTokenizer("an added token has no content or no id");
    }
    if (Get(token, "single_word", false)) {
      return UnsupportedTokenizer("single_word of the added token \"" + added.content + "\"",
                                  "true");
    }
    const auto at = vocabulary.find(added.content);
    added.id = at != vocabulary.end() ? at->second : static_cast<int32_t>(id);
    all.push_back(std::move(added));
  }
  return all;
}

Result<SurroundingIds> ReadPostProcessor(const Json& processor) {
  if (processor.is_null()) return SurroundingIds();
  const std::string type = Get<std::string>(processor, "type", "");
  if (type == "TemplateProcessing") return ReadTemplate(processor);
  if (type != "BertProcessing" && type != "RobertaProcessing") {
    return UnsupportedTokenizer("post_processor.type", type);
  }
  SurroundingIds around;
  ASSIGN_OR_RETURN(around.before, ReadPair(processor, "cls"));
  ASSIGN_OR_RETURN(around.after, ReadPair(processor, "sep"));
  return around;
}

}  // namespace ragstone::llm

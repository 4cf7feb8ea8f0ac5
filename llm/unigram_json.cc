#include "llm/unigram_json.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "llm/bert_normalizer.h"

namespace ragstone::llm {
namespace {

// Sequences nest; files in use have one or two levels.
constexpr int kDepthMax = 8;

// Standard base64 with padding; DATA_LOSS (MODEL_CORRUPT) for any other byte.
Result<std::string> DecodeBase64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<int8_t, 256> values;
  values.fill(-1);
  for (size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<int8_t>(i);
  }
  size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  if (text.size() % 4 != 0) return CorruptTokenizer("precompiled_charsmap is cut off");
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int8_t value = values[static_cast<unsigned char>(text[i])];
    if (value < 0) return CorruptTokenizer("precompiled_charsmap is not base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 != 0) bytes.push_back(static_cast<char>(bits >> (6 - i % 4 * 2) & 0xFF));
  }
  return bytes;
}

// A pattern is {"String": text} or {"Regex": expression}; of expressions one character with a least
// number of repeats is built, which is what converted SentencePiece models use (" {2,}").
Result<NormalizerStep> ReadReplace(const Json& json) {
  ReplaceStep step;
  step.to = Get<std::string>(json, "content", "");
  const Json& pattern = Field(json, "pattern");
  step.from = Get<std::string>(pattern, "String", "");
  if (!step.from.empty()) return NormalizerStep(std::move(step));
  const std::string regex = Get<std::string>(pattern, "Regex", "");
  if (regex.empty()) return CorruptTokenizer("the pattern of the normaliser Replace is empty");
  size_t at = 0;
  const uint32_t c = ReadCodePoint(regex, at);
  const bool plain =
      c < 0x80 ? std::string_view("\\^$.|?*+()[]{}").find(regex[0]) == std::string_view::npos
               : true;
  const std::string_view rest = std::string_view(regex).substr(at);
  step.from = regex.substr(0, at);
  if (rest == "+") {
    step.repeats_min = 1;
  } else if (rest.size() == 4 && rest[0] == '{' && rest[1] >= '1' && rest[1] <= '9' &&
             rest.substr(2) == ",}") {
    step.repeats_min = static_cast<uint32_t>(rest[1] - '0');
  } else if (!rest.empty()) {
    return UnsupportedTokenizer("the expression of the normaliser Replace", regex);
  }
  if (!plain) return UnsupportedTokenizer("the expression of the normaliser Replace", regex);
  return NormalizerStep(std::move(step));
}

Result<NormalizerStep> ReadNormalizer(const std::string& type, const Json& json) {
  if (type == "NFC") return NormalizerStep(UnicodeForm::kNfc);
  if (type == "NFD") return NormalizerStep(UnicodeForm::kNfd);
  if (type == "NFKC") return NormalizerStep(UnicodeForm::kNfkc);
  if (type == "NFKD") return NormalizerStep(UnicodeForm::kNfkd);
  if (type == "Lowercase") return NormalizerStep(LowercaseStep());
  if (type == "StripAccents") return NormalizerStep(StripAccentsStep());
  if (type == "Strip") {
    return NormalizerStep(StripStep{Get(json, "strip_left", true), Get(json, "strip_right", true)});
  }
  if (type == "Replace") return ReadReplace(json);
  if (type == "Precompiled") {
    ASSIGN_OR_RETURN(const std::string blob,
                     DecodeBase64(Get<std::string>(json, "precompiled_charsmap", "")));
    ASSIGN_OR_RETURN(PrecompiledCharsmap map, PrecompiledCharsmap::Parse(blob));
    return NormalizerStep(std::move(map));
  }
  return UnsupportedTokenizer("normalizer.type", type);
}

Status ReadNormalizers(const Json& json, int depth, std::vector<NormalizerStep>& steps) {
  if (json.is_null()) return OkStatus();
  const std::string type = Get<std::string>(json, "type", "");
  if (type != "Sequence") {
    ASSIGN_OR_RETURN(NormalizerStep step, ReadNormalizer(type, json));
    steps.push_back(std::move(step));
    return OkStatus();
  }
  const Json& parts = Field(json, "normalizers");
  if (!parts.is_array() || depth == kDepthMax) {
    return CorruptTokenizer("a normaliser Sequence has no list, or nests deeper than " +
                            std::to_string(kDepthMax));
  }
  for (const Json& part : parts) RETURN_IF_ERROR(ReadNormalizers(part, depth + 1, steps));
  return OkStatus();
}

// The older form says add_prefix_space, the newer prepend_scheme; files may have both.
Result<SplitStep> ReadMetaspace(const Json& json) {
  Metaspace step;
  step.replacement = Get<std::string>(json, "replacement", step.replacement);
  size_t at = 0;
  if (!step.replacement.empty()) ReadCodePoint(step.replacement, at);
  if (step.replacement.empty() || at != step.replacement.size()) {
    return CorruptTokenizer("the replacement of Metaspace, \"" + step.replacement +
                            "\", is not one character");
  }
  const bool prefix = Get(json, "add_prefix_space", true);
  const std::string scheme = Get<std::string>(json, "prepend_scheme", prefix ? "always" : "never");
  if (!prefix && scheme != "never") {
    return CorruptTokenizer("add_prefix_space and prepend_scheme of Metaspace disagree");
  }
  if (scheme == "always") {
    step.prepend = Metaspace::Prepend::kAlways;
  } else if (scheme == "first") {
    step.prepend = Metaspace::Prepend::kFirst;
  } else if (scheme == "never") {
    step.prepend = Metaspace::Prepend::kNever;
  } else {
    return UnsupportedTokenizer("prepend_scheme of Metaspace", scheme);
  }
  step.split = Get(json, "split", true);
  return SplitStep(std::move(step));
}

Status ReadSplitters(const Json& json, int depth, std::vector<SplitStep>& steps) {
  if (json.is_null()) return OkStatus();
  const std::string type = Get<std::string>(json, "type", "");
  if (type == "WhitespaceSplit") {
    steps.emplace_back(WhitespaceSplit());
    return OkStatus();
  }
  if (type == "Metaspace") {
    ASSIGN_OR_RETURN(SplitStep step, ReadMetaspace(json));
    steps.push_back(std::move(step));
    return OkStatus();
  }
  if (type != "Sequence") return UnsupportedTokenizer("pre_tokenizer.type", type);
  const Json& parts = Field(json, "pretokenizers");
  if (!parts.is_array() || depth == kDepthMax) {
    return CorruptTokenizer("a pre_tokenizer Sequence has no list, or nests deeper than " +
                            std::to_string(kDepthMax));
  }
  for (const Json& part : parts) RETURN_IF_ERROR(ReadSplitters(part, depth + 1, steps));
  return OkStatus();
}

// Whether a stretch begins the text depends, in `tokenizers`, on which of its characters the
// normalisers removed; only the combinations where none of that matters are built.
Status CheckPrependFirst(const UnigramOptions& options) {
  for (size_t i = 0; i < options.splitters.size(); ++i) {
    const auto* space = std::get_if<Metaspace>(&options.splitters[i]);
    if (space == nullptr || space->prepend != Metaspace::Prepend::kFirst) continue;
    const bool removes = std::any_of(options.normalizers.begin(), options.normalizers.end(),
                                     [](const NormalizerStep& step) {
                                       return std::holds_alternative<StripStep>(step) ||
                                              std::holds_alternative<StripAccentsStep>(step) ||
                                              std::holds_alternative<ReplaceStep>(step);
                                     });
    const bool normalized = std::any_of(options.added.begin(), options.added.end(),
                                        [](const AddedToken& token) { return token.normalized; });
    if (i > 0 || removes || normalized) {
      return UnsupportedTokenizer(
          "prepend_scheme of Metaspace behind a splitter, Strip, StripAccents, Replace or "
          "normalized added tokens",
          "first");
    }
  }
  return OkStatus();
}

Status ReadModel(const Json& model, UnigramOptions& options) {
  const Json& vocabulary = Field(model, "vocab");
  if (!vocabulary.is_array() || vocabulary.size() > kTokenizerVocabularyMax) {
    return CorruptTokenizer("model.vocab is not a list of at most " +
                            std::to_string(kTokenizerVocabularyMax) + " tokens");
  }
  for (const Json& entry : vocabulary) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      return CorruptTokenizer("entry " + std::to_string(options.vocabulary.size()) +
                              " of model.vocab is not a token and its score");
    }
    options.vocabulary.emplace_back(entry[0].get<std::string>(), entry[1].get<double>());
  }
  const Json& unknown = Field(model, "unk_id");
  if (unknown.is_null()) return UnsupportedTokenizer("model.unk_id", "null");
  if (!unknown.is_number_unsigned() || unknown.get<uint64_t>() >= options.vocabulary.size()) {
    return CorruptTokenizer("model.unk_id is not the number of a token");
  }
  options.unknown = unknown.get<int32_t>();
  options.byte_fallback = Get(model, "byte_fallback", false);
  return OkStatus();
}

}  // namespace

Result<UnigramOptions> ReadUnigramJson(const Json& json) {
  UnigramOptions options;
  RETURN_IF_ERROR(ReadModel(Field(json, "model"), options));
  RETURN_IF_ERROR(ReadNormalizers(Field(json, "normalizer"), 0, options.normalizers));
  RETURN_IF_ERROR(ReadSplitters(Field(json, "pre_tokenizer"), 0, options.splitters));
  std::unordered_map<std::string_view, int32_t> known;
  for (size_t i = 0; i < options.vocabulary.size(); ++i) {
    known[options.vocabulary[i].first] = static_cast<int32_t>(i);
  }
  ASSIGN_OR_RETURN(options.added, ReadAddedTokens(Field(json, "added_tokens"), known));
  ASSIGN_OR_RETURN(SurroundingIds around, ReadPostProcessor(Field(json, "post_processor")));
  options.before = std::move(around.before);
  options.after = std::move(around.after);
  RETURN_IF_ERROR(CheckPrependFirst(options));
  return options;
}

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "llm/added_tokens.h"
#include "llm/tokenizer_errors.h"

// What the readers of tokenizer.json share.
namespace ragstone::llm {

using Json = nlohmann::json;

constexpr size_t kTokenizerVocabularyMax = 1 << 20;

// The field of an object, or null.
const Json& Field(const Json& object, std::string_view field);

// The field as T, or `fallback` if it is missing, null or of another type.
template <typename T>
T Get(const Json& object, std::string_view field, T fallback) {
  const Json& value = Field(object, field);
  if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean() ? value.get<bool>() : fallback;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string() ? value.get<std::string>() : fallback;
  } else {
    return value.is_number_integer() ? value.get<T>() : fallback;
  }
}

// Reads a file that holds a JSON object. Numbers with a fraction are rounded as serde_json rounds
// them: `tokenizers` reads scores that way, and their last bit decides between equal sums.
Result<Json> ReadTokenizerJson(const std::filesystem::path& path);

// The list `added_tokens`. A token that the vocabulary has too keeps the vocabulary's id.
Result<std::vector<AddedToken>> ReadAddedTokens(
    const Json& tokens, const std::unordered_map<std::string_view, int32_t>& vocabulary);

// The ids that a post_processor puts around a single text.
struct SurroundingIds {
  std::vector<int32_t> before, after;
};
Result<SurroundingIds> ReadPostProcessor(const Json& processor);

}  // namespace ragstone::llm

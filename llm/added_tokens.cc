#include "llm/added_tokens.h"

#include <utility>

#include "llm/bert_normalizer.h"

namespace ragstone::llm {

Result<AddedTokens> AddedTokens::Make(const std::vector<AddedToken>& tokens) {
  AddedTokens added;
  added.tokens_ = tokens;
  std::vector<std::pair<std::string, int32_t>> keys;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].content.empty()) continue;
    keys.emplace_back(tokens[i].content, static_cast<int32_t>(i));
    added.begins_[static_cast<unsigned char>(tokens[i].content[0])] = true;
  }
  ASSIGN_OR_RETURN(added.trie_, TrieOf(std::move(keys)));
  return added;
}

size_t AddedTokens::SpaceBehind(std::string_view text, size_t at) {
  while (at < text.size()) {
    size_t next = at;
    if (WordBreakOf(ReadCodePoint(text, next)) != WordBreak::kSpace) break;
    at = next;
  }
  return at;
}

size_t AddedTokens::SpaceBefore(std::string_view text, size_t at) {
  while (at > 0) {
    size_t begin = at - 1;
    while (begin > 0 && at - begin < 4 && (text[begin] & 0xC0) == 0x80) --begin;
    size_t next = begin;
    if (WordBreakOf(ReadCodePoint(text, next)) != WordBreak::kSpace || next != at) break;
    at = begin;
  }
  return at;
}

Result<AddedTokenForms> AddedTokenForms::Make(
    std::vector<AddedToken> tokens, const std::function<std::string(std::string_view)>& normalize) {
  AddedTokenForms forms;
  std::vector<AddedToken> raw, normal;
  for (AddedToken& token : tokens) {
    forms.vocabulary = std::max(forms.vocabulary, static_cast<uint32_t>(token.id) + 1);
    if (token.normalized) token.content = normalize(token.content);
    (token.normalized ? normal : raw).push_back(std::move(token));
  }
  ASSIGN_OR_RETURN(forms.raw, AddedTokens::Make(raw));
  ASSIGN_OR_RETURN(forms.normal, AddedTokens::Make(normal));
  return forms;
}

}  // namespace ragstone::llm

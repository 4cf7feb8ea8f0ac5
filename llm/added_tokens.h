#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "llm/piece_trie.h"

namespace ragstone::llm {

// A token that is recognised in the text before it is split into words.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool normalized = false;  // looked for in the normal form instead of the raw text
  bool lstrip = false;      // swallows the white space before it
  bool rstrip = false;      // swallows the white space behind it
};

// The added tokens that are looked for in one form of the text (raw or normal). Immutable.
class AddedTokens {
 public:
  static Result<AddedTokens> Make(const std::vector<AddedToken>& tokens);

  bool empty() const { return tokens_.empty(); }

  // Calls `piece(text, token)` for the stretches of `text` in order: token is null for text between
  // added tokens. Of tokens that overlap the leftmost counts, then the longest.
  template <typename Piece>
  void Split(std::string_view text, const Piece& piece) const {
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      if (!begins_[static_cast<unsigned char>(text[at])]) {
        ++at;
        continue;
      }
      const PieceTrie::Match match = trie_.Longest(text.substr(at));
      if (match.value < 0) {
        ++at;
        continue;
      }
      const AddedToken& token = tokens_[static_cast<size_t>(match.value)];
      const size_t begin = token.lstrip ? std::max(done, SpaceBefore(text, at)) : at;
      const size_t end = at + match.length;
      if (done < begin) piece(text.substr(done, begin - done), nullptr);
      piece(text.substr(begin, end - begin), &token);
      done = token.rstrip ? SpaceBehind(text, end) : end;
      at = done;
    }
    if (done < text.size()) piece(text.substr(done), nullptr);
  }

 private:
  static size_t SpaceBehind(std::string_view text, size_t at);
  static size_t SpaceBefore(std::string_view text, size_t at);

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> begins_{};
  PieceTrie trie_;
};

// A tokeniser's added tokens by the form of the text in which they are looked for. Immutable.
struct AddedTokenForms {
  // `normalize` gives the normal form of a text.
  static Result<AddedTokenForms> Make(
      std::vector<AddedToken> tokens,
      const std::function<std::string(std::string_view)>& normalize);

  AddedTokens raw, normal;
  uint32_t vocabulary = 0;  // one more than the largest id
};

}  // namespace ragstone::llm

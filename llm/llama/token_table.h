#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llm/llama/runtime.h"

namespace ragstone::llm {

// The bytes of every token of a vocabulary, and tokens by their bytes. Control tokens have no
// bytes. Immutable, thread-safe.
class TokenTable {
 public:
  explicit TokenTable(const llama_vocab* vocab);
  TokenTable(const TokenTable&) = delete;
  TokenTable& operator=(const TokenTable&) = delete;

  const llama_vocab* vocab() const { return vocab_; }
  const std::string& Piece(llama_token token) const { return pieces_[static_cast<size_t>(token)]; }
  // The first token with exactly these bytes, or LLAMA_TOKEN_NULL.
  llama_token Find(std::string_view bytes) const;
  size_t longest() const { return longest_; }
  bool IsEnd(llama_token token) const { return llama_vocab_is_eog(vocab_, token); }
  const std::vector<llama_token>& end_tokens() const { return end_tokens_; }
  // Tokens whose bytes begin with `byte`.
  const std::vector<llama_token>& BeginningWith(unsigned char byte) const {
    return by_first_byte_[byte];
  }
  // Token ids of a text that goes on after another; `control` if control tokens written in it count
  // as such.
  std::vector<llama_token> Tokenize(std::string_view text, bool control) const;
  // The same for a text at the very beginning, where some vocabularies put a space before it.
  std::vector<llama_token> TokenizeStart(std::string_view text, bool control) const;

 private:
  const llama_vocab* vocab_;
  std::vector<std::string> pieces_;
  std::unordered_map<std::string_view, llama_token> by_bytes_;
  std::vector<std::vector<llama_token>> by_first_byte_;
  std::vector<llama_token> end_tokens_;
  size_t longest_ = 0;
  bool adds_space_ = false;
  size_t line_break_tokens_ = 0;  // that a line break at the beginning gives
};

}  // namespace ragstone::llm

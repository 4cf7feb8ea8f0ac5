#include "llm/llama/token_table.h"

#include <algorithm>

namespace ragstone::llm {

TokenTable::TokenTable(const llama_vocab* vocab) : vocab_(vocab), by_first_byte_(256) {
  const int32_t count = llama_vocab_n_tokens(vocab);
  pieces_.resize(static_cast<size_t>(count));
  char buffer[512];
  for (llama_token token = 0; token < count; ++token) {
    if (llama_vocab_is_eog(vocab, token)) end_tokens_.push_back(token);
    if (llama_vocab_is_control(vocab, token)) continue;
    const int32_t length = llama_token_to_piece(vocab, token, buffer, sizeof(buffer), 0, false);
    if (length <= 0) continue;
    std::string& piece = pieces_[static_cast<size_t>(token)];
    piece.assign(buffer, static_cast<size_t>(length));
    by_bytes_.emplace(piece, token);
    by_first_byte_[static_cast<unsigned char>(piece.front())].push_back(token);
    longest_ = std::max(longest_, piece.size());
  }
  const std::vector<llama_token> letter = TokenizeStart("a", false);
  adds_space_ = !letter.empty() && Piece(letter.front()).starts_with(' ');
  line_break_tokens_ = TokenizeStart("\n", false).size();
}

llama_token TokenTable::Find(std::string_view bytes) const {
  const auto found = by_bytes_.find(bytes);
  return found == by_bytes_.end() ? LLAMA_TOKEN_NULL : found->second;
}

std::vector<llama_token> TokenTable::Tokenize(std::string_view text, bool control) const {
  if (text.empty() || !adds_space_) return TokenizeStart(text, control);
  // llama.cpp puts the space before whatever it is given; here that is a line break, which such
  // vocabularies never join with what follows.
  const std::vector<llama_token> tokens = TokenizeStart("\n" + std::string(text), control);
  const size_t skip = std::min(line_break_tokens_, tokens.size());
  return {tokens.begin() + static_cast<std::ptrdiff_t>(skip), tokens.end()};
}

std::vector<llama_token> TokenTable::TokenizeStart(std::string_view text, bool control) const {
  if (text.empty()) return {};
  std::vector<llama_token> tokens(text.size() + 8);
  int32_t count =
      llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                     static_cast<int32_t>(tokens.size()), false, control);
  if (count < 0) {
    tokens.resize(static_cast<size_t>(-count));
    count = llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                           static_cast<int32_t>(tokens.size()), false, control);
  }
  tokens.resize(static_cast<size_t>(std::max(count, 0)));
  return tokens;
}

}  // namespace ragstone::llm

#include "llm/wordpiece.h"

#include <algorithm>
#include <array>

namespace ragstone::llm {

PieceTrie PieceTrie::Build(const std::vector<std::pair<std::string, int32_t>>& keys) {
  PieceTrie trie;
  auto& nodes = trie.nodes_;
  nodes.resize(512);
  nodes[0].parent = 0;  // no other node has base + byte == 0, since bases begin at 1
  std::vector<bool> taken(1, true);
  struct Range {
    uint32_t node;
    size_t begin, end, depth;  // keys [begin, end) share their first `depth` bytes
  };
  std::vector<Range> open = {{0, 0, keys.size(), 0}};
  // The search for room begins at the first free place, and for nodes with several children where
  // the last long search ended: single children fill the holes it leaves.
  constexpr uint32_t kLongSearch = 64;
  uint32_t first_free = 256, branching_from = 256;  // lower places would not suit every byte
  while (!open.empty()) {
    Range range = open.back();
    open.pop_back();
    if (range.begin < range.end && keys[range.begin].first.size() == range.depth) {
      nodes[range.node].value = keys[range.begin].second;
      ++range.begin;
    }
    std::vector<std::pair<unsigned char, size_t>> children;  // byte, first key
    for (size_t i = range.begin; i < range.end; ++i) {
      const auto byte = static_cast<unsigned char>(keys[i].first[range.depth]);
      if (children.empty() || children.back().first != byte) children.emplace_back(byte, i);
    }
    if (children.empty()) {
      nodes[range.node].base = 1;
      continue;
    }
    while (first_free < taken.size() && taken[first_free]) ++first_free;
    const uint32_t lowest = children.front().first;
    const uint32_t from = children.size() > 1 ? std::max(first_free, branching_from) : first_free;
    const uint32_t first_base = from - lowest;
    uint32_t base = first_base;
    const auto fits = [&] {
      return std::all_of(children.begin(), children.end(), [&](const auto& child) {
        return base + child.first >= taken.size() || !taken[base + child.first];
      });
    };
    while (!fits()) ++base;
    if (children.size() > 1 && base - first_base > kLongSearch) branching_from = base + lowest;
    // Look-ups read up to base + 255 without a check.
    if (nodes.size() < base + 512) nodes.resize(std::max<size_t>(base + 512, nodes.size() * 2));
    taken.resize(nodes.size(), false);
    nodes[range.node].base = base;
    for (size_t i = 0; i < children.size(); ++i) {
      const uint32_t child = base + children[i].first;
      taken[child] = true;
      nodes[child].parent = range.node;
      const size_t end = i + 1 < children.size() ? children[i + 1].second : range.end;
      open.push_back({child, children[i].second, end, range.depth + 1});
    }
  }
  return trie;
}

namespace {

Result<PieceTrie> TrieOf(std::vector<std::pair<std::string, int32_t>> keys) {
  std::erase_if(keys, [](const auto& key) { return key.first.empty(); });
  std::sort(keys.begin(), keys.end());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].second < 0) {
      return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                    "tokeniser: token \"" + keys[i].first + "\" has the negative id " +
                        std::to_string(keys[i].second) + "; import the model again");
    }
  }
  // Of equal keys the first counts.
  keys.erase(std::unique(keys.begin(), keys.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; }),
             keys.end());
  return PieceTrie::Build(keys);
}

// The added tokens that are looked for in one form of the text (raw or normal).
class AddedTokens {
 public:
  static Result<AddedTokens> Make(const std::vector<AddedToken>& tokens) {
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
  static size_t SpaceBehind(std::string_view text, size_t at) {
    while (at < text.size()) {
      size_t next = at;
      if (WordBreakOf(ReadCodePoint(text, next)) != WordBreak::kSpace) break;
      at = next;
    }
    return at;
  }

  static size_t SpaceBefore(std::string_view text, size_t at) {
    while (at > 0) {
      size_t begin = at - 1;
      while (begin > 0 && at - begin < 4 && (text[begin] & 0xC0) == 0x80) --begin;
      size_t next = begin;
      if (WordBreakOf(ReadCodePoint(text, next)) != WordBreak::kSpace || next != at) break;
      at = begin;
    }
    return at;
  }

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> begins_{};
  PieceTrie trie_;
};

class WordPieceTokenizer : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> Make(WordPieceOptions options) {
    auto made = std::unique_ptr<WordPieceTokenizer>(new WordPieceTokenizer(options.normalizer));
    std::vector<std::pair<std::string, int32_t>> continuing;
    made->unknown_ = -1;
    for (const auto& [piece, id] : options.vocabulary) {
      if (piece == options.unknown) made->unknown_ = id;
      if (piece.size() > options.continuation.size() && piece.starts_with(options.continuation)) {
        continuing.emplace_back(piece.substr(options.continuation.size()), id);
      }
      made->vocabulary_ = std::max(made->vocabulary_, static_cast<uint32_t>(id) + 1);
    }
    if (made->unknown_ < 0) {
      return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                    "tokeniser: the vocabulary of " + std::to_string(options.vocabulary.size()) +
                        " tokens has no \"" + options.unknown + "\"; import the model again");
    }
    ASSIGN_OR_RETURN(made->begin_, TrieOf(std::move(options.vocabulary)));
    ASSIGN_OR_RETURN(made->continue_, TrieOf(std::move(continuing)));
    std::vector<AddedToken> raw, normal;
    for (AddedToken& token : options.added) {
      made->vocabulary_ = std::max(made->vocabulary_, static_cast<uint32_t>(token.id) + 1);
      if (token.normalized) {
        std::string content;
        made->normalizer_.Append(token.content, content);
        token.content = std::move(content);
      }
      (token.normalized ? normal : raw).push_back(std::move(token));
    }
    ASSIGN_OR_RETURN(made->raw_, AddedTokens::Make(raw));
    ASSIGN_OR_RETURN(made->normal_, AddedTokens::Make(normal));
    made->options_ = std::move(options);
    return std::unique_ptr<Tokenizer>(std::move(made));
  }

  std::vector<int32_t> Encode(std::string_view text) const override {
    std::vector<int32_t> ids = options_.before;
    ids.reserve(text.size() / 4 + 8);
    Append(text, ids);
    ids.insert(ids.end(), options_.after.begin(), options_.after.end());
    return ids;
  }

  uint32_t Count(std::string_view text) const override {
    std::vector<int32_t> ids;
    Append(text, ids);
    return static_cast<uint32_t>(ids.size());
  }

  uint32_t vocabulary() const override { return vocabulary_; }

 private:
  explicit WordPieceTokenizer(const BertNormalizerOptions& options) : normalizer_(options) {
    for (uint32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = WordBreakOf(c);
  }

  void Append(std::string_view text, std::vector<int32_t>& ids) const {
    std::string normal;
    raw_.Split(text, [&](std::string_view piece, const AddedToken* token) {
      if (token != nullptr) {
        ids.push_back(token->id);
        return;
      }
      normal.clear();
      normalizer_.Append(piece, normal);
      if (normal_.empty()) {
        AppendWords(normal, ids);
        return;
      }
      normal_.Split(normal, [&](std::string_view part, const AddedToken* found) {
        if (found != nullptr) {
          ids.push_back(found->id);
        } else {
          AppendWords(part, ids);
        }
      });
    });
  }

  // Splits at white space and around punctuation.
  void AppendWords(std::string_view text, std::vector<int32_t>& ids) const {
    size_t begin = 0;  // of the word being read
    for (size_t at = 0; at < text.size();) {
      const size_t here = at;
      const auto byte = static_cast<unsigned char>(text[at]);
      WordBreak kind;
      if (byte < 0x80) {
        kind = ascii_[byte];
        ++at;
      } else {
        kind = WordBreakOf(ReadCodePoint(text, at));
      }
      if (kind == WordBreak::kNone) continue;
      if (begin < here) AppendPieces(text.substr(begin, here - begin), ids);
      if (kind == WordBreak::kPunctuation) AppendPieces(text.substr(here, at - here), ids);
      begin = at;
    }
    if (begin < text.size()) AppendPieces(text.substr(begin), ids);
  }

  // Longest pieces first, from the left; a word that cannot be built that way is unknown as a
  // whole.
  void AppendPieces(std::string_view word, std::vector<int32_t>& ids) const {
    if (word.size() > options_.word_chars_max) {
      const auto chars =
          std::count_if(word.begin(), word.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
      if (static_cast<uint64_t>(chars) > options_.word_chars_max) {
        ids.push_back(unknown_);
        return;
      }
    }
    const size_t before = ids.size();
    PieceTrie::Match match = begin_.Longest(word);
    for (;;) {
      if (match.value < 0) {
        ids.resize(before);
        ids.push_back(unknown_);
        return;
      }
      ids.push_back(match.value);
      word.remove_prefix(match.length);
      if (word.empty()) return;
      match = continue_.Longest(word);
    }
  }

  WordPieceOptions options_;  // without vocabulary and added tokens
  BertNormalizer normalizer_;
  std::array<WordBreak, 128> ascii_;
  PieceTrie begin_, continue_;
  AddedTokens raw_, normal_;
  int32_t unknown_ = 0;
  uint32_t vocabulary_ = 0;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> NewWordPieceTokenizer(WordPieceOptions options) {
  return WordPieceTokenizer::Make(std::move(options));
}

}  // namespace ragstone::llm

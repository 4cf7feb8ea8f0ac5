#include "llm/unigram.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <unordered_map>

#include "llm/bert_normalizer.h"
#include "llm/tokenizer_errors.h"

namespace ragstone::llm {
namespace {

// What a character that no piece covers costs below the worst piece.
constexpr double kUnknownPenalty = 10;
constexpr uint32_t kUnreached = UINT32_MAX;

// Buffers of one call, kept from word to word.
struct Scratch {
  struct Node {
    double score = 0;  // of the best way to cut the word up to here
    uint32_t start = kUnreached;
    int32_t id = 0;
  };
  struct Piece {
    uint32_t begin, end;
    int32_t id;
  };
  std::vector<Node> nodes;  // one for each place between bytes
  std::vector<Piece> pieces;
  std::string marked;
};

std::string ByteToken(unsigned int byte) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  return std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">";
}

size_t CharBytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

class UnigramTokenizer : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> Make(UnigramOptions options) {
    if (options.unknown < 0 || static_cast<size_t>(options.unknown) >= options.vocabulary.size()) {
      return CorruptTokenizer("the unknown token is number " + std::to_string(options.unknown) +
                              " of a vocabulary of " + std::to_string(options.vocabulary.size()));
    }
    auto made = std::unique_ptr<UnigramTokenizer>(
        new UnigramTokenizer(TextNormalizer(std::move(options.normalizers))));
    RETURN_IF_ERROR(made->SetVocabulary(options.vocabulary));
    const auto normalize = [&](std::string_view text) {
      std::string normal;
      made->normalizer_.Normalize(text, normal);
      return normal;
    };
    ASSIGN_OR_RETURN(made->added_, AddedTokenForms::Make(std::move(options.added), normalize));
    made->vocabulary_ = std::max(made->vocabulary_, made->added_.vocabulary);
    options.vocabulary.clear();
    options.added.clear();
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
    ids.reserve(text.size() / 4 + 8);
    Append(text, ids);
    return static_cast<uint32_t>(ids.size());
  }

  uint32_t vocabulary() const override { return vocabulary_; }

 private:
  explicit UnigramTokenizer(TextNormalizer normalizer) : normalizer_(std::move(normalizer)) {}

  Status SetVocabulary(const std::vector<std::pair<std::string, double>>& vocabulary) {
    vocabulary_ = static_cast<uint32_t>(vocabulary.size());
    double lowest = std::numeric_limits<double>::infinity();
    std::vector<std::pair<std::string, int32_t>> keys;
    for (size_t i = vocabulary.size(); i-- > 0;) {  // of equal pieces the last counts
      keys.emplace_back(vocabulary[i].first, static_cast<int32_t>(i));
      lowest = std::min(lowest, vocabulary[i].second);
    }
    for (const auto& [piece, score] : vocabulary) scores_.push_back(score);
    unknown_score_ = lowest - kUnknownPenalty;
    ASSIGN_OR_RETURN(trie_, TrieOf(std::move(keys)));
    for (unsigned int byte = 0; byte < 256; ++byte) bytes_[byte] = trie_.Find(ByteToken(byte));
    return OkStatus();
  }

  void Append(std::string_view text, std::vector<int32_t>& ids) const {
    std::string valid, normal;
    if (!IsUtf8(text)) {
      for (size_t at = 0; at < text.size();) AppendCodePoint(ReadCodePoint(text, at), valid);
      text = valid;
    }
    Scratch scratch;
    added_.raw.Split(text, [&](std::string_view piece, const AddedToken* token) {
      if (token != nullptr) {
        ids.push_back(token->id);
        return;
      }
      const bool first = piece.data() == text.data();
      normalizer_.Normalize(piece, normal);
      added_.normal.Split(normal, [&](std::string_view part, const AddedToken* found) {
        if (found != nullptr) {
          ids.push_back(found->id);
        } else {
          AppendSplit({part, first && part.data() == normal.data()}, 0, scratch, ids);
        }
      });
    });
  }

  struct Part {
    std::string_view text;
    bool first;  // begins the text
  };

  // Applies the splitters from number `step` on, then cuts into pieces.
  void AppendSplit(const Part& part, size_t step, Scratch& scratch,
                   std::vector<int32_t>& ids) const {
    if (step == options_.splitters.size()) {
      AppendPieces(part.text, scratch, ids);
    } else if (const auto* metaspace = std::get_if<Metaspace>(&options_.splitters[step])) {
      AppendMarked(*metaspace, part, step, scratch, ids);
    } else {
      AppendWords(part, step, scratch, ids);
    }
  }

  void AppendWords(const Part& part, size_t step, Scratch& scratch,
                   std::vector<int32_t>& ids) const {
    size_t begin = 0;  // of the word being read
    const auto flush = [&](size_t end) {
      if (begin == end) return;
      const bool first = part.first && begin == 0;
      AppendSplit({part.text.substr(begin, end - begin), first}, step + 1, scratch, ids);
    };
    for (size_t at = 0; at < part.text.size();) {
      const size_t here = at;
      if (WordBreakOf(ReadCodePoint(part.text, at)) != WordBreak::kSpace) continue;
      flush(here);
      begin = at;
    }
    flush(part.text.size());
  }

  void AppendMarked(const Metaspace& space, const Part& part, size_t step, Scratch& scratch,
                    std::vector<int32_t>& ids) const {
    std::string marked = std::move(scratch.marked);  // a nested step makes one of its own
    marked.clear();
    const bool prepends = space.prepend == Metaspace::Prepend::kAlways ||
                          (space.prepend == Metaspace::Prepend::kFirst && part.first);
    const bool marked_already =
        part.text.starts_with(' ') || part.text.starts_with(space.replacement);
    if (prepends && !marked_already) marked += space.replacement;
    for (const char c : part.text) {
      if (c == ' ') {
        marked += space.replacement;
      } else {
        marked.push_back(c);
      }
    }
    const std::string_view all = marked;
    for (size_t begin = 0; begin < all.size();) {
      const size_t next = space.split ? all.find(space.replacement, begin + 1) : all.size();
      const size_t end = std::min(next, all.size());
      const bool first = part.first && begin == 0;
      AppendSplit({all.substr(begin, end - begin), first}, step + 1, scratch, ids);
      begin = end;
    }
    scratch.marked = std::move(marked);
  }

  // The way to cut `word` with the highest sum of scores, by Viterbi's algorithm. Sums are formed
  // and compared in the order in which `tokenizers` does, since rounding decides ties.
  void AppendPieces(std::string_view word, Scratch& scratch, std::vector<int32_t>& ids) const {
    auto& nodes = scratch.nodes;
    nodes.assign(word.size() + 1, {});
    for (size_t at = 0; at < word.size();) {
      const double score = nodes[at].score;
      const size_t bytes = std::min(CharBytes(word[at]), word.size() - at);
      const auto offer = [&](size_t end, double sum, int32_t id) {
        Scratch::Node& node = nodes[end];
        if (node.start == kUnreached || sum > node.score) {
          node = {sum, static_cast<uint32_t>(at), id};
        }
      };
      bool covered = false;
      trie_.ForEachPrefix(word.substr(at), [&](int32_t id, size_t length) {
        offer(at + length, scores_[static_cast<size_t>(id)] + score, id);
        covered = covered || length == bytes;
      });
      if (!covered) offer(at + bytes, unknown_score_ + score, options_.unknown);
      at += bytes;
    }
    AppendBestPath(word, scratch, ids);
  }

  // Follows the best path back; neighbouring unknowns become one.
  void AppendBestPath(std::string_view word, Scratch& scratch, std::vector<int32_t>& ids) const {
    auto& pieces = scratch.pieces;
    pieces.clear();
    for (auto end = static_cast<uint32_t>(word.size()); end > 0;) {
      const Scratch::Node& node = scratch.nodes[end];
      const bool unknown = node.id == options_.unknown;
      if (unknown && !pieces.empty() && pieces.back().id == options_.unknown) {
        pieces.back().begin = node.start;
      } else {
        pieces.push_back({node.start, end, node.id});
      }
      end = node.start;
    }
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
      if (piece->id != options_.unknown) {
        ids.push_back(piece->id);
      } else {
        AppendUnknown(word.substr(piece->begin, piece->end - piece->begin), ids);
      }
    }
  }

  void AppendUnknown(std::string_view text, std::vector<int32_t>& ids) const {
    // Joined unknowns can be a piece that was too dear to be chosen.
    const int32_t whole = trie_.Find(text);
    if (whole >= 0) {
      ids.push_back(whole);
      return;
    }
    const auto byte_id = [&](char byte) { return bytes_[static_cast<unsigned char>(byte)]; };
    const bool spelled =
        options_.byte_fallback &&
        std::all_of(text.begin(), text.end(), [&](char byte) { return byte_id(byte) >= 0; });
    if (!spelled) {
      ids.push_back(options_.unknown);
      return;
    }
    for (const char byte : text) ids.push_back(byte_id(byte));
  }

  UnigramOptions options_;  // without vocabulary, added tokens and normalisers
  TextNormalizer normalizer_;
  PieceTrie trie_;
  std::vector<double> scores_;
  std::array<int32_t, 256> bytes_{};  // -1: no such piece
  AddedTokenForms added_;
  double unknown_score_ = 0;
  uint32_t vocabulary_ = 0;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> NewUnigramTokenizer(UnigramOptions options) {
  return UnigramTokenizer::Make(std::move(options));
}

}  // namespace ragstone::llm

#include "llm/wordpiece.h"

#include <algorithm>
#include <array>

#include "llm/piece_trie.h"
#include "llm/tokenizer_errors.h"

namespace ragstone::llm {

namespace {

// Where ids go: into a list, or only into their number.
struct IdSink {
  std::vector<int32_t>& ids;
  void Push(int32_t id) { ids.push_back(id); }
  size_t Size() const { return ids.size(); }
  void Shrink(size_t size) { ids.resize(size); }
};
struct CountSink {
  uint32_t count = 0;
  void Push(int32_t) { ++count; }
  size_t Size() const { return count; }
  void Shrink(size_t size) { count = static_cast<uint32_t>(size); }
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
      return CorruptTokenizer("the vocabulary of " + std::to_string(options.vocabulary.size()) +
                              " tokens has no \"" + options.unknown + "\"");
    }
    ASSIGN_OR_RETURN(made->begin_, TrieOf(std::move(options.vocabulary)));
    ASSIGN_OR_RETURN(made->continue_, TrieOf(std::move(continuing)));
    const auto normalize = [&](std::string_view text) {
      std::string normal;
      made->normalizer_.Append(text, normal);
      return normal;
    };
    ASSIGN_OR_RETURN(made->added_, AddedTokenForms::Make(std::move(options.added), normalize));
    made->vocabulary_ = std::max(made->vocabulary_, made->added_.vocabulary);
    made->options_ = std::move(options);
    return std::unique_ptr<Tokenizer>(std::move(made));
  }

  std::vector<int32_t> Encode(std::string_view text) const override {
    std::vector<int32_t> ids = options_.before;
    ids.reserve(text.size() / 4 + 8);
    IdSink sink{ids};
    Append(text, sink);
    ids.insert(ids.end(), options_.after.begin(), options_.after.end());
    return ids;
  }

  uint32_t Count(std::string_view text) const override {
    CountSink sink;
    Append(text, sink);
    return sink.count;
  }

  uint32_t vocabulary() const override { return vocabulary_; }

 private:
  explicit WordPieceTokenizer(const BertNormalizerOptions& options) : normalizer_(options) {
    for (uint32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = WordBreakOf(c);
  }

  template <typename Sink>
  void Append(std::string_view text, Sink& sink) const {
    std::string normal;
    added_.raw.Split(text, [&](std::string_view piece, const AddedToken* token) {
      if (token != nullptr) {
        sink.Push(token->id);
        return;
      }
      normal.clear();
      normalizer_.Append(piece, normal);
      if (added_.normal.empty()) {
        AppendWords(normal, sink);
        return;
      }
      added_.normal.Split(normal, [&](std::string_view part, const AddedToken* found) {
        if (found != nullptr) {
          sink.Push(found->id);
        } else {
          AppendWords(part, sink);
        }
      });
    });
  }

  // Splits at white space and around punctuation.
  template <typename Sink>
  void AppendWords(std::string_view text, Sink& sink) const {
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
      if (begin < here) AppendPieces(text.substr(begin, here - begin), sink);
      if (kind == WordBreak::kPunctuation) AppendPieces(text.substr(here, at - here), sink);
      begin = at;
    }
    if (begin < text.size()) AppendPieces(text.substr(begin), sink);
  }

  // Longest pieces first, from the left; a word that cannot be built that way is unknown as a
  // whole.
  template <typename Sink>
  void AppendPieces(std::string_view word, Sink& sink) const {
    if (word.size() > options_.word_chars_max) {
      const auto chars =
          std::count_if(word.begin(), word.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
      if (static_cast<uint64_t>(chars) > options_.word_chars_max) {
        sink.Push(unknown_);
        return;
      }
    }
    const size_t before = sink.Size();
    PieceTrie::Match match = begin_.Longest(word);
    for (;;) {
      if (match.value < 0) {
        sink.Shrink(before);
        sink.Push(unknown_);
        return;
      }
      sink.Push(match.value);
      word.remove_prefix(match.length);
      if (word.empty()) return;
      match = continue_.Longest(word);
    }
  }

  WordPieceOptions options_;  // without vocabulary and added tokens
  BertNormalizer normalizer_;
  std::array<WordBreak, 128> ascii_;
  PieceTrie begin_, continue_;
  AddedTokenForms added_;
  int32_t unknown_ = 0;
  uint32_t vocabulary_ = 0;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> NewWordPieceTokenizer(WordPieceOptions options) {
  return WordPieceTokenizer::Make(std::move(options));
}

}  // namespace ragstone::llm

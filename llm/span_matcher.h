#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ragstone::llm {

// Says which texts are spans of given sources, byte by byte, for decoding that may produce nothing
// else. A span begins and ends at word boundaries and has a word, and at most `words_max` of them;
// an alternative is allowed only as a whole. A run of white space in a source counts as one space,
// since a model does not repeat line breaks. A word is a run of letters and digits, with the
// points, commas and apostrophes inside it; a Chinese or Japanese character is a word. Immutable,
// thread-safe.
class SpanMatcher {
 public:
  // A span in the making: bytes [begin, pos) of one text.
  struct Place {
    uint32_t text = 0;
    uint32_t begin = 0;
    uint32_t pos = 0;
  };
  // A span of the original source; `source` is -1 for an alternative.
  struct Span {
    int32_t source = -1;
    uint32_t begin = 0;
    uint32_t end = 0;
    std::string text;
  };

  SpanMatcher(const std::vector<std::string>& sources, const std::vector<std::string>& alternatives,
              uint32_t words_max);
  SpanMatcher(const SpanMatcher&) = delete;
  SpanMatcher& operator=(const SpanMatcher&) = delete;

  // Every place where a span may begin.
  std::vector<Place> Starts() const;
  // Returns the bytes that may follow, up to the end of the text. They may exceed the word limit.
  std::string_view Rest(const Place& place) const;
  // Moves on by `bytes`; false, changing nothing, if they do not follow or exceed the word limit.
  // One space before the first byte of a span is allowed, since most tokens begin with one.
  bool Advance(std::string_view bytes, Place* place) const;
  // Whether a span may end here.
  bool IsEnd(const Place& place) const;
  // The span as it stands in its source. Sentence punctuation at the end of a sentence is left out.
  Span Resolve(const Place& place) const;

 private:
  struct Text {
    std::string bytes;             // white space normalised
    std::vector<uint32_t> origin;  // for each byte and the end: byte in the source
    std::vector<uint32_t> words;   // words begun up to and with the byte
    std::vector<bool> boundary;    // for each byte and the end
    const std::string* source = nullptr;
    int32_t index = -1;  // -1: alternative
  };

  void AddText(const std::string& source, int32_t index);

  std::vector<std::string> kept_;  // the sources and alternatives
  std::vector<Text> texts_;
  uint32_t words_max_;
};

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ingest/page.h"

namespace ragstone::ingest {

// Counts tokens as the embedding model does, special tokens left out. Thread-safe.
class TokenCounter {
 public:
  virtual ~TokenCounter() = default;
  virtual uint32_t Count(std::string_view text) const = 0;
};

struct ChunkerOptions {
  uint32_t tokens_max = 200;  // of heading and text together
  uint32_t tokens_min = 40;   // smaller neighbours under the same heading are joined
  bool markdown = false;      // "#" headings instead of font sizes
};

// A chunk: bytes [begin, end) of the document's text (page texts joined by "\n"), whole sentences
// or whole table rows; a sentence longer than `tokens_max` is split at words.
struct Chunk {
  uint64_t begin = 0, end = 0;
  uint32_t page_first = 1, page_last = 1;
  uint32_t line_first = 1;  // 1-based line of the document's text
  uint32_t tokens = 0;      // of EmbeddedText
  std::string heading;      // headings above, joined by " > ", cut to 200 bytes at a word
  std::string text;
};

// Returns what is embedded for a chunk: the heading path and the text, white space folded.
std::string EmbeddedText(std::string_view heading, std::string_view text);

// Cuts a stream of pages into chunks. Headings carry over from page to page; running heads and feet
// that repeat on most pages are left out of chunks. Not thread-safe.
class Chunker {
 public:
  // `counter` must outlive the chunker.
  Chunker(const ChunkerOptions& options, const TokenCounter* counter);
  ~Chunker();

  // Takes the next page (in order) and returns the chunks that are complete.
  std::vector<Chunk> AddPage(const Page& page);
  // Returns the rest.
  std::vector<Chunk> Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A sentence: bytes [begin, end) of the text, white space trimmed.
struct Sentence {
  size_t begin = 0, end = 0;
};

// Splits text into sentences (ICU's rules with repairs for abbreviations, numbers and line breaks);
// a table row or list item is a sentence of its own.
std::vector<Sentence> SplitSentences(std::string_view text);

}  // namespace ragstone::ingest

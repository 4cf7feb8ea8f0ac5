#pragma once

#include <cstdint>
#include <span>

namespace ragstone::llm {

// Code points first..last, both included.
struct CodePointRange {
  uint32_t first, last;
};

// Combining marks that sort at place `order` in canonical ordering.
struct CombiningRange {
  uint32_t first, last, order;
};

// Every `stride`th code point from first to last has the lower case `code point + delta`.
struct LowerRange {
  uint32_t first, last, stride;
  int32_t delta;
};

// What Hugging Face's `tokenizers` knows of code points; see generate_wordpiece_tables.py.
// Ascending.
struct WordPieceTables {
  std::span<const CodePointRange> dropped;  // by clean_text
  std::span<const CodePointRange> spaces;
  std::span<const CodePointRange> ideographs;   // set apart by handle_chinese_chars
  std::span<const CodePointRange> marks;        // removed by strip_accents
  std::span<const CodePointRange> punctuation;  // tokens of their own
  std::span<const CombiningRange> combining;
  std::span<const LowerRange> lower;         // by `first`; ranges of stride 2 may interleave
  std::span<const uint32_t> decompositions;  // code point * 8 + count, then `count` code points
};

const WordPieceTables& GetWordPieceTables();

}  // namespace ragstone::llm

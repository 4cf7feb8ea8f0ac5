#pragma once

#include <cstdint>
#include <span>

#include "llm/wordpiece_tables.h"

namespace ragstone::llm {

// How a code point takes part in grapheme clusters (Unicode Standard Annex 29). Regional indicators
// count as kOther: their clusters are too long to matter to a character map.
enum class GraphemeKind : uint8_t {
  kOther,
  kCr,
  kLf,
  kControl,
  kExtend,
  kExtendOnly,  // Extend, but ends a conjunct
  kLinker,      // Extend, and joins the consonants of a conjunct
  kJoiner,      // U+200D
  kSpacingMark,
  kPrepend,
  kPictographic,
  kConsonant,
  kHangulL,
  kHangulV,
  kHangulT,
  kHangulLv,
  kHangulLvt,
};

struct GraphemeRange {
  uint32_t first, last;
  GraphemeKind kind;
};

// What Hugging Face's `tokenizers` knows of code points; see generate_unigram_tables.py. Ascending.
struct UnigramTables {
  std::span<const GraphemeRange> graphemes;  // without CR, LF, the joiner and Hangul syllables
  std::span<const CodePointRange> accents;   // removed by the normaliser StripAccents
};

const UnigramTables& GetUnigramTables();

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ingest/page.h"

namespace ragstone::ingest::internal {

// A word as a PDF library found it: cleaned text in logical order, box in points as displayed.
struct RawWord {
  std::string text;
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  float baseline = 0;  // y of upright text, x of text turned by a quarter
  float font_size = 0;
  bool bold = false;
  bool space_after = true;
};

// Words [begin, end) that stand on one baseline without a wide gap.
struct RawLine {
  uint32_t begin = 0, end = 0;
  uint32_t block = 0;          // lines of one paragraph or cell share it
  uint32_t rotation = 0;       // quarter turns clockwise, 0 to 3
  bool right_to_left = false;  // most letters are; the words are in logical order already
};

// What the PDF library gives for one page: lines in its reading order.
struct RawPage {
  float width = 0, height = 0;
  std::vector<RawWord> words;
  std::vector<RawLine> lines;
};

// Fills text, words and lines of `page` from `raw`: finds table rows, joins list marks with their
// items, resolves hyphens at line ends. Text that stands at an angle to most of the page comes
// last. Returns false if the text was cut at `text_bytes_max`.
bool LayOutPage(const RawPage& raw, uint32_t text_bytes_max, Page* page);

}  // namespace ragstone::ingest::internal

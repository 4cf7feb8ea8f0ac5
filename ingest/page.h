#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ragstone::ingest {

// A word of a page: bytes [begin, end) of the page's text and its box in points, origin at the top
// left of the page as displayed, y down.
struct Word {
  uint32_t begin = 0, end = 0;
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

// A line of a page's text, bytes [begin, end) without "\n".
struct Line {
  uint32_t begin = 0, end = 0;
  float font_size = 0;  // points; 0 if unknown
  bool bold = false;
  bool table_row = false;  // cells are separated by " | "
};

// The text of one page in reading order: lines end with "\n", blocks are separated by an empty
// line, hyphens at line ends are resolved, all of it is valid UTF-8.
struct Page {
  uint32_t number = 0;  // 1-based
  std::string label;    // the document's own; may be empty
  float width = 0, height = 0;
  std::string text;
  std::vector<Word> words;
  std::vector<Line> lines;
  uint32_t images = 0;
  std::string warning;  // why part of the page is missing; empty if nothing is
};

// Facts of the document as a whole.
struct DocumentFacts {
  uint32_t pages = 0;
  std::string title;
  std::string author;
};

}  // namespace ragstone::ingest

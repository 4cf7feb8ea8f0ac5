#pragma once

#include <cstdint>

#include "ingest/internal/page_layout.h"

class PDFDoc;

namespace ragstone::ingest {

// When to leave a page early.
struct PageTextLimits {
  bool (*should_stop)(void* state) = nullptr;
  void* state = nullptr;
  uint32_t chars_max = 0;
};

struct PageText {
  internal::RawPage raw;
  uint32_t images = 0;
  bool cut = false;  // more than `chars_max` characters
};

// Reads the words of page `number` (1-based) in poppler's reading order.
PageText ReadPageText(PDFDoc* document, int number, const PageTextLimits& limits);

}  // namespace ragstone::ingest

#pragma once

#include "ingest/document_parser.h"

namespace ragstone::ingest {

// Reads PDF files with poppler. Poppler keeps global state: one Parse at a time in a process.
// Text only: no colour, no images, no rendering. Poppler may still die on hostile bytes (it aborts
// when memory ends), so it belongs in a process that may die.
class PopplerParser : public DocumentParser {
 public:
  // Called when a page begins, on the thread that parses; tests use it to fail at a page.
  using PageHook = std::function<void(uint32_t page)>;

  PopplerParser();
  explicit PopplerParser(PageHook page_hook);

  Status Parse(std::string_view bytes, const ParseLimits& limits, const PageSink& sink,
               const CallContext& context) override;

 private:
  PageHook page_hook_;
};

}  // namespace ragstone::ingest

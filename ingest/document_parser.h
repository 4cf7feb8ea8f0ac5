#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/call_context.h"
#include "base/status.h"
#include "ingest/page.h"

namespace ragstone::ingest {

struct ParseLimits {
  uint32_t pages_max = 10'000;
  uint32_t page_time_ms_max = 20'000;
  uint32_t document_time_ms_max = 600'000;
  uint32_t page_text_bytes_max = 4u << 20;
  std::string password;
};

// Receives a document as it is parsed. An error ends the parse with it.
struct PageSink {
  std::function<Status(const DocumentFacts&)> opened;
  std::function<Status(Page)> page;
};

// Turns the bytes of a document into pages, in order. Errors: INVALID_ARGUMENT with NOT_PDF,
// PDF_DAMAGED, PDF_ENCRYPTED, PDF_NO_PAGES, EMPTY_FILE, INVALID_UTF8; RESOURCE_EXHAUSTED with
// TOO_MANY_PAGES, TIME_LIMIT, MEMORY_LIMIT.
class DocumentParser {
 public:
  virtual ~DocumentParser() = default;
  virtual Status Parse(std::string_view bytes, const ParseLimits& limits, const PageSink& sink,
                       const CallContext& context) = 0;
};

}  // namespace ragstone::ingest

#pragma once

#include <string_view>

#include "ingest/document_parser.h"

namespace ragstone::ingest {

// "application/pdf", "text/markdown", "text/plain", or UNSUPPORTED_MEDIA_TYPE. Tells by content
// first
// ("%PDF-" within the first 1024 bytes, NUL bytes), then by the name's ending.
Result<std::string> DetectMediaType(std::string_view bytes, std::string_view name);

// Reads UTF-8 plain text or Markdown as one page. A byte order mark is dropped; CRLF becomes "\n".
// UTF-16 with a byte order mark is converted. INVALID_ARGUMENT with EMPTY_FILE, INVALID_UTF8
// (naming the byte offset), NO_TEXT for white space only.
class TextParser : public DocumentParser {
 public:
  Status Parse(std::string_view bytes, const ParseLimits& limits, const PageSink& sink,
               const CallContext& context) override;
};

}  // namespace ragstone::ingest

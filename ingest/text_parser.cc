#include "ingest/text_parser.h"

#include <optional>
#include <string>

#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest {
namespace {

Status CheckUtf8(std::string_view text) {
  const size_t bad = internal::FindInvalidUtf8(text);
  if (bad == std::string_view::npos) return OkStatus();
  return InvalidArgument(Reason::kInvalidUtf8, "the text is not valid UTF-8 at byte " +
                                                   std::to_string(bad) +
                                                   "; convert it to UTF-8, for example with iconv");
}

// Returns the text as UTF-8 without a byte order mark.
Result<std::string> Decode(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    std::optional<std::string> text =
        internal::Utf16ToUtf8(bytes.substr(2), /*big_endian=*/bytes[0] == '\xFE');
    if (text) return std::move(*text);
    return InvalidArgument(Reason::kInvalidUtf8,
                           "the text begins with a UTF-16 byte order mark but is not valid UTF-16; "
                           "convert it to UTF-8");
  }
  RETURN_IF_ERROR(CheckUtf8(bytes));
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  return std::string(bytes);
}

void NormalizeLineEnds(std::string* text) {
  size_t out = 0;
  for (size_t i = 0; i < text->size(); ++i) {
    char c = (*text)[i];
    if (c == '\r') {
      if (i + 1 < text->size() && (*text)[i + 1] == '\n') continue;
      c = '\n';
    }
    (*text)[out++] = c;
  }
  text->resize(out);
}

bool IsBlank(std::string_view line) { return internal::FoldWhiteSpace(line).empty(); }

std::vector<Line> FindLines(std::string_view text) {
  std::vector<Line> lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view content = text.substr(begin, end - begin);
    if (!IsBlank(content)) {
      Line line;
      line.begin = static_cast<uint32_t>(begin);
      line.end = static_cast<uint32_t>(end);
      const size_t first = content.find_first_not_of(" \t");
      line.table_row = first != std::string_view::npos && content[first] == '|' &&
                       content.find('|', first + 1) != std::string_view::npos;
      lines.push_back(line);
    }
    begin = end + 1;
  }
  return lines;
}

}  // namespace

Status TextParser::Parse(std::string_view bytes, const ParseLimits& limits, const PageSink& sink,
                         const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  if (bytes.empty()) return InvalidArgument(Reason::kEmptyFile, "the file is empty");
  if (bytes.size() / 2 > limits.page_text_bytes_max) {
    return ResourceExhausted(Reason::kFileTooLarge, "the text has " + std::to_string(bytes.size()) +
                                                        " bytes, the limit is " +
                                                        std::to_string(limits.page_text_bytes_max) +
                                                        "; split the file");
  }
  Page page;
  page.number = 1;
  ASSIGN_OR_RETURN(page.text, Decode(bytes));
  NormalizeLineEnds(&page.text);
  if (IsBlank(page.text)) {
    return InvalidArgument(Reason::kNoText, "the file holds white space only");
  }
  if (page.text.size() > limits.page_text_bytes_max) {
    return ResourceExhausted(Reason::kFileTooLarge,
                             "the text has " + std::to_string(page.text.size()) +
                                 " bytes of UTF-8, the limit is " +
                                 std::to_string(limits.page_text_bytes_max) + "; split the file");
  }
  page.lines = FindLines(page.text);
  RETURN_IF_ERROR(context.Check());
  DocumentFacts facts;
  facts.pages = 1;
  RETURN_IF_ERROR(sink.opened(facts));
  return sink.page(std::move(page));
}

}  // namespace ragstone::ingest

#include <algorithm>
#include <cctype>
#include <string>

#include "ingest/text_parser.h"

namespace ragstone::ingest {
namespace {

constexpr size_t kHeadBytes = 1024;
constexpr size_t kNulSearchBytes = 64 * 1024;

std::string LowerEnding(std::string_view name) {
  const size_t slash = name.find_last_of("/\\");
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return "";
  std::string ending(name.substr(dot + 1));
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

}  // namespace

Result<std::string> DetectMediaType(std::string_view bytes, std::string_view name) {
  if (bytes.substr(0, kHeadBytes).find("%PDF-") != std::string_view::npos) {
    return std::string("application/pdf");
  }
  const std::string ending = LowerEnding(name);
  // A file that says it is a PDF goes to the PDF parser, whose refusal names what is wrong with it.
  if (ending == "pdf") return std::string("application/pdf");
  const bool utf16 = bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF");
  if (!utf16 && bytes.substr(0, kNulSearchBytes).find('\0') != std::string_view::npos) {
    return InvalidArgument(
        Reason::kUnsupportedMediaType,
        "\"" + std::string(name) +
            "\" is neither a PDF nor text: it holds NUL bytes; convert it to PDF, "
            "plain text or Markdown");
  }
  if (ending == "md" || ending == "markdown" || ending == "mdown" || ending == "mkd") {
    return std::string("text/markdown");
  }
  return std::string("text/plain");
}

}  // namespace ragstone::ingest

#include "services/cli/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

// Wider text is hard to read, however wide the terminal is.
constexpr int kTextWidthMax = 100;
constexpr size_t kSnippetLines = 6;

std::string Place(const std::string& path, uint32_t page, const std::string& label, uint32_t line) {
  const std::string name = Sanitize(path);
  if (line > 0) return fmt::format("{}, line {}", name, line);
  if (label.empty() || label == std::to_string(page)) return fmt::format("{}, p. {}", name, page);
  return fmt::format("{}, p. {} ({})", name, page, Sanitize(label));
}

}  // namespace

std::string Indented(std::string_view text, int indent, const Output& output, size_t lines_max) {
  const int width = std::min(output.terminal().width, kTextWidthMax) - indent;
  std::vector<std::string> lines = Wrap(Sanitize(text), width);
  if (lines_max > 0 && lines.size() > lines_max) {
    lines.resize(lines_max);
    lines.back() = TruncateToWidth(lines.back() + " …", width);
  }
  std::string out;
  for (const std::string& line : lines) out += std::string(indent, ' ') + line + "\n";
  return out;
}

std::string PassagePlace(const v1::Passage& passage) {
  return Place(passage.path(), passage.page(), passage.page_label(), passage.line());
}

std::string CitationPlace(const v1::Citation& citation) {
  return Place(citation.path(), citation.page(), citation.page_label(), citation.line());
}

std::string FormatHit(size_t number, const v1::Passage& passage, const Output& output) {
  std::string out = fmt::format("{}. {}  {}\n", number, output.Bold(PassagePlace(passage)),
                                output.Dim(fmt::format("{:.3f}", passage.score())));
  if (!passage.heading().empty()) {
    const int width = output.terminal().width - 3;
    out += "   " + output.Green(TruncateToWidth(Sanitize(passage.heading()), width)) + "\n";
  }
  return out + Indented(passage.text(), 3, output, kSnippetLines);
}

std::string FormatCitation(const v1::Citation& citation, const Output& output) {
  return fmt::format("[{}] {}: \"{}\"", citation.n(), output.Bold(CitationPlace(citation)),
                     Sanitize(citation.quote()));
}

std::string FormatTimeOrDash(int64_t time_ns) { return time_ns == 0 ? "-" : FormatTime(time_ns); }

}  // namespace ragstone::services::cli

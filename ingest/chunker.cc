#include "ingest/chunker.h"

#include <algorithm>
#include <optional>

#include "ingest/internal/chunk_builder.h"
#include "ingest/internal/document_text.h"
#include "ingest/internal/headings.h"
#include "ingest/internal/line_reader.h"
#include "ingest/internal/running_lines.h"
#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest {
namespace {

using internal::DecidedPage;

// Lines come from another process; those that do not fit the text are replaced by the text's own.
bool LinesFit(const Page& page) {
  uint32_t end = 0;
  for (const Line& line : page.lines) {
    if (line.begin < end || line.end < line.begin || line.end > page.text.size()) return false;
    end = line.end;
  }
  return true;
}

std::vector<Line> LinesOf(std::string_view text) {
  std::vector<Line> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (text.substr(begin, end - begin).find_first_not_of(" \t\r") != std::string_view::npos) {
      Line line;
      line.begin = static_cast<uint32_t>(begin);
      line.end = static_cast<uint32_t>(end);
      lines.push_back(line);
    }
    begin = end + 1;
  }
  return lines;
}

// Shortens runs of the same mark: the dots that lead to a page number and drawn rules would each
// cost a token and say nothing.
std::string FoldRules(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    size_t run = 1;
    if (std::string_view("._-=*~").find(c) != std::string_view::npos) {
      // ". . . ." counts as one run too.
      size_t end = i + 1;
      while (end < text.size() && (text[end] == c || (text[end] == ' ' && end + 1 < text.size() &&
                                                      text[end + 1] == c))) {
        run += text[end] == c;
        ++end;
      }
      if (run >= 4) {
        out.append(3, c);
        i = end;
        continue;
      }
    }
    out.push_back(c);
    ++i;
  }
  return out;
}

}  // namespace

struct Chunker::Impl {
  Impl(const ChunkerOptions& options, const TokenCounter* counter)
      : reader(options.markdown, &body, &text), builder(options, counter, &text) {}

  void Take(std::vector<DecidedPage> pages, std::vector<Chunk>* chunks) {
    for (const DecidedPage& page : pages) {
      std::vector<internal::Unit> units;
      const uint64_t base = text.AddPage(page.number, page.text);
      reader.Read(page, base, &units);
      for (const internal::Unit& unit : units) builder.Add(unit, chunks);
      const uint64_t page_end = base + page.text.size();
      uint64_t keep = page_end;
      if (const auto open = reader.open_begin()) keep = std::min(keep, *open);
      if (const uint64_t* pending = builder.pending_begin()) keep = std::min(keep, *pending);
      text.Drop(keep);
    }
  }

  internal::BodyType body;
  internal::RunningLines running;
  internal::DocumentText text;
  internal::LineReader reader;
  internal::ChunkBuilder builder;
};

Chunker::Chunker(const ChunkerOptions& options, const TokenCounter* counter)
    : impl_(std::make_unique<Impl>(options, counter)) {}
Chunker::~Chunker() = default;

std::vector<Chunk> Chunker::AddPage(const Page& page) {
  std::vector<DecidedPage> decided;
  if (!page.lines.empty() && LinesFit(page)) {
    impl_->body.Observe(page);
    impl_->running.Add(page, &decided);
  } else {
    Page repaired;
    repaired.number = page.number;
    repaired.text = page.text;
    repaired.lines = LinesOf(repaired.text);
    impl_->running.Add(repaired, &decided);
  }
  std::vector<Chunk> chunks;
  impl_->Take(std::move(decided), &chunks);
  return chunks;
}

std::vector<Chunk> Chunker::Finish() {
  std::vector<DecidedPage> decided;
  impl_->running.Finish(&decided);
  std::vector<Chunk> chunks;
  impl_->Take(std::move(decided), &chunks);
  std::vector<internal::Unit> units;
  impl_->reader.Finish(&units);
  for (const internal::Unit& unit : units) impl_->builder.Add(unit, &chunks);
  impl_->builder.Finish(&chunks);
  return chunks;
}

std::string EmbeddedText(std::string_view heading, std::string_view text) {
  std::string joined(heading);
  if (!joined.empty()) joined += '\n';
  joined += text;
  return FoldRules(internal::FoldWhiteSpace(joined));
}

}  // namespace ragstone::ingest

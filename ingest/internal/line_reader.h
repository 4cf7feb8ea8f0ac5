#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ingest/internal/document_text.h"
#include "ingest/internal/headings.h"
#include "ingest/internal/running_lines.h"

namespace ragstone::ingest::internal {

// A piece of text that a chunk holds whole.
struct Unit {
  enum class Kind { kHeading, kSentence, kTableRow, kLine };
  Kind kind = Kind::kSentence;
  uint64_t begin = 0, end = 0;  // in the document's text
  bool paragraph_end = false;
  bool break_before = false;  // bytes that no chunk may hold lie before it
  HeadingStyle style;         // of a heading
};

// Reads the lines of pages as headings, table rows and sentences. A paragraph goes on from block to
// block and page to page if it stops in the middle of a sentence. Not thread-safe.
class LineReader {
 public:
  LineReader(bool markdown, const BodyType* body, const DocumentText* text)
      : markdown_(markdown), body_(body), text_(text) {}

  // Reads a page whose text begins at `base`; appends its units but for an open paragraph.
  void Read(const DecidedPage& page, uint64_t base, std::vector<Unit>* units);
  void Finish(std::vector<Unit>* units);

  // Where the open paragraph begins, if there is one.
  std::optional<uint64_t> open_begin() const {
    return open_ ? std::optional(paragraph_.begin) : std::nullopt;
  }

 private:
  struct Block {
    const DecidedPage* page;
    size_t first, last;  // lines [first, last)
    uint64_t base;
  };

  void ReadLine(const Block& block, size_t i, std::vector<Unit>* units);
  bool ReadHeading(const Block& block, size_t i, std::vector<Unit>* units);
  bool IsCode(std::string_view line);
  void AddBodyLine(std::string_view line, uint64_t begin, uint64_t end, std::vector<Unit>* units);
  void Emit(Unit unit, std::vector<Unit>* units);
  void Flush(std::vector<Unit>* units);

  const bool markdown_;
  const BodyType* body_;
  const DocumentText* text_;
  bool open_ = false;
  Unit paragraph_;  // begin and end of the open paragraph
  bool at_block_start_ = true;
  bool break_pending_ = false;
  bool in_fence_ = false;
  std::optional<size_t>
      heading_line_;  // of the current block: a heading that the next line may continue
};

}  // namespace ragstone::ingest::internal

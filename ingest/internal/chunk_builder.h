#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ingest/chunker.h"
#include "ingest/internal/document_text.h"
#include "ingest/internal/headings.h"
#include "ingest/internal/line_reader.h"

namespace ragstone::ingest::internal {

// Packs units into chunks of at most `tokens_max` tokens, cutting at headings before paragraphs and
// at paragraphs before sentences. Holds back at most a few chunks of text. Not thread-safe.
class ChunkBuilder {
 public:
  ChunkBuilder(const ChunkerOptions& options, const TokenCounter* counter, DocumentText* text);

  // Takes the next unit; appends the chunks that are complete.
  void Add(const Unit& unit, std::vector<Chunk>* chunks);
  void Finish(std::vector<Chunk>* chunks);

  // Where the text begins that no chunk holds yet, if there is any.
  const uint64_t* pending_begin() const {
    return units_.empty() ? nullptr : &units_.front().unit.begin;
  }

 private:
  // What stands above a unit, with its size.
  struct Context {
    std::string path;
    uint32_t tokens = 0;
  };
  struct Pending {
    Unit unit;
    uint32_t tokens = 0;
    HeadingStyle section;  // of the heading it stands under or is
    std::shared_ptr<const Context> context;
  };

  uint32_t Count(std::string_view text) const;
  std::shared_ptr<const Context> MakeContext(std::string path) const;
  void AddHeading(const Unit& unit, std::vector<Chunk>* chunks);
  void AddTableRow(const Unit& unit);
  void AddPieces(const Unit& unit, const std::shared_ptr<const Context>& context);
  void SplitUnit(const Pending& pending, uint32_t tokens_max, std::vector<Pending>* pieces) const;
  size_t PieceEnd(std::string_view text, uint32_t tokens_max) const;
  bool JoinsPending(const HeadingStyle& style) const;
  void Close(std::vector<Chunk>* chunks);
  void EmitFirst(bool last_section, std::vector<Chunk>* chunks);
  size_t ChooseCut(uint64_t target, uint32_t budget) const;
  Chunk MakeChunk(size_t count);

  const ChunkerOptions options_;
  const TokenCounter* counter_;
  DocumentText* text_;
  HeadingStack headings_;
  HeadingStyle section_;                          // of the last heading
  std::shared_ptr<const Context> context_;        // of body text
  std::shared_ptr<const Context> table_context_;  // of the rows below a table's first
  bool in_table_ = false;
  std::vector<Pending> units_;
  uint64_t tokens_ = 0;  // of units_
  size_t body_units_ = 0;
};

}  // namespace ragstone::ingest::internal

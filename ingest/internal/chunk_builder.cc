#include "ingest/internal/chunk_builder.h"

#include <algorithm>
#include <cmath>

#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest::internal {
namespace {

constexpr uint32_t kTokensMaxFloor = 8;  // below this not even a heading and a word fit
constexpr size_t kTokenBytesMax = 32;    // of text; longer words are cut
constexpr size_t kPathBytesMax = 200;
constexpr size_t kTableHeadBytesMax = 120;
constexpr size_t kTableHeadBytesMin = 8;

// How much further from the wanted size a better place to cut may be, as a share of it.
constexpr double kHeadingBonus = 0.6;
constexpr double kParagraphBonus = 0.25;

ChunkerOptions Checked(ChunkerOptions options) {
  options.tokens_max = std::max(options.tokens_max, kTokensMaxFloor);
  options.tokens_min = std::min(options.tokens_min, options.tokens_max / 2);
  return options;
}

}  // namespace

ChunkBuilder::ChunkBuilder(const ChunkerOptions& options, const TokenCounter* counter,
                           DocumentText* text)
    : options_(Checked(options)), counter_(counter), text_(text), context_(MakeContext("")) {}

std::shared_ptr<const ChunkBuilder::Context> ChunkBuilder::MakeContext(std::string path) const {
  auto context = std::make_shared<Context>();
  const uint32_t tokens_max = options_.tokens_max / 3;
  context->tokens = path.empty() ? 0 : counter_->Count(path);
  while (context->tokens > tokens_max) {
    path = std::string(CutAtWord(path, path.size() / 2));
    context->tokens = path.empty() ? 0 : counter_->Count(path);
  }
  context->path = std::move(path);
  return context;
}

uint32_t ChunkBuilder::Count(std::string_view text) const {
  return counter_->Count(EmbeddedText("", text));
}

void ChunkBuilder::Add(const Unit& unit, std::vector<Chunk>* chunks) {
  if (unit.break_before) Close(chunks);
  if (unit.kind == Unit::Kind::kHeading) {
    AddHeading(unit, chunks);
  } else if (unit.kind == Unit::Kind::kTableRow) {
    AddTableRow(unit);
  } else {
    AddPieces(unit, context_);
  }
  in_table_ = unit.kind == Unit::Kind::kTableRow;
  while (tokens_ >= 3ull * options_.tokens_max && units_.size() > 1) EmitFirst(false, chunks);
}

// Whether a section may go into the chunk of the small one before it: not if it ranks higher.
bool ChunkBuilder::JoinsPending(const HeadingStyle& style) const {
  if (units_.empty() || body_units_ == 0) return true;
  return tokens_ < options_.tokens_min && !NestsUnder(units_.front().section, style);
}

void ChunkBuilder::AddHeading(const Unit& unit, std::vector<Chunk>* chunks) {
  headings_.Push(unit.style, HeadingTitle(text_->View(unit.begin, unit.end), unit.style));
  if (!JoinsPending(unit.style)) Close(chunks);
  section_ = unit.style;
  AddPieces(unit, MakeContext(headings_.ParentPath()));
  context_ = MakeContext(headings_.Path());
}

// Rows below the first carry the first in their context: a chunk that begins in the middle of a
// table still says what its columns are.
void ChunkBuilder::AddTableRow(const Unit& unit) {
  if (in_table_) {
    AddPieces(unit, table_context_);
    return;
  }
  AddPieces(unit, context_);
  std::string path = context_->path;
  const size_t room = kPathBytesMax > path.size() + 3 ? kPathBytesMax - path.size() - 3 : 0;
  const std::string head = FoldWhiteSpace(text_->View(unit.begin, unit.end));
  const std::string_view cut = CutAtWord(head, std::min(room, kTableHeadBytesMax));
  if (room >= kTableHeadBytesMin && !cut.empty()) {
    if (!path.empty()) path += " > ";
    path += cut;
  }
  table_context_ = MakeContext(std::move(path));
}

void ChunkBuilder::AddPieces(const Unit& unit, const std::shared_ptr<const Context>& context) {
  Pending pending;
  pending.unit = unit;
  pending.context = context;
  pending.section = section_;
  std::vector<Pending> pieces;
  SplitUnit(pending, options_.tokens_max - context->tokens, &pieces);
  for (Pending& piece : pieces) {
    tokens_ += piece.tokens;
    body_units_ += unit.kind != Unit::Kind::kHeading;
    units_.push_back(std::move(piece));
  }
}

// Returns the length of the longest prefix that ends at a line, a word or a code point and has at
// most `tokens_max` tokens.
size_t ChunkBuilder::PieceEnd(std::string_view text, uint32_t tokens_max) const {
  size_t fits = 0, too_long = text.size();
  // A token is seldom shorter than a byte, so start near the answer instead of at the middle of
  // what may be megabytes.
  size_t probe = std::min<size_t>(text.size(), static_cast<size_t>(tokens_max) * 4);
  while (fits + 1 < too_long) {
    size_t at = FloorToCodePoint(text, std::max(fits + 1, probe));
    if (at <= fits) {
      at = fits;
      NextCodePoint(text, &at);
    }
    if (at >= too_long) break;
    if (Count(text.substr(0, at)) <= tokens_max) {
      fits = at;
      probe = std::min(fits * 2, (fits + too_long) / 2);
    } else {
      too_long = at;
      probe = (fits + too_long) / 2;
    }
  }
  if (fits == 0) {  // one code point is more than the limit; it cannot be split
    NextCodePoint(text, &fits);
    return fits;
  }
  const size_t line = text.find_last_of('\n', fits);
  if (line != std::string_view::npos && line > fits / 2) return line;
  const size_t space = text.find_last_of(" \t", fits);
  return space != std::string_view::npos && space > fits / 4 ? space : fits;
}

void ChunkBuilder::SplitUnit(const Pending& pending, uint32_t tokens_max,
                             std::vector<Pending>* pieces) const {
  Pending piece = pending;
  // Only so much is ever counted at once, or a line of megabytes would cost quadratic time.
  const size_t bytes_max = kTokenBytesMax * static_cast<size_t>(tokens_max);
  for (;;) {
    const std::string_view text = text_->View(piece.unit.begin, piece.unit.end);
    size_t cut = text.size();
    if (text.size() <= bytes_max) {
      piece.tokens = Count(text);
      if (piece.tokens > tokens_max) cut = PieceEnd(text, tokens_max);
    } else {
      cut = PieceEnd(text.substr(0, FloorToCodePoint(text, bytes_max)), tokens_max);
    }
    if (cut >= text.size()) break;
    Pending head = piece;
    head.unit.end = piece.unit.begin + cut;
    head.unit.paragraph_end = false;
    head.tokens = Count(text.substr(0, cut));
    pieces->push_back(std::move(head));
    const size_t rest = text.find_first_not_of(" \t\r\n", cut);
    if (rest == std::string_view::npos) return;
    piece.unit.begin += rest;
    piece.unit.break_before = false;
  }
  pieces->push_back(std::move(piece));
}

void ChunkBuilder::Close(std::vector<Chunk>* chunks) {
  while (!units_.empty()) EmitFirst(true, chunks);
}

// Returns how many units the next chunk takes.
size_t ChunkBuilder::ChooseCut(uint64_t target, uint32_t budget) const {
  size_t best = 1;
  double best_score = 1e9;
  uint64_t sum = 0;
  for (size_t k = 1; k <= units_.size(); ++k) {
    const Pending& last = units_[k - 1];
    sum += last.tokens;
    if (sum > budget) break;
    const bool at_heading = k < units_.size() && units_[k].unit.kind == Unit::Kind::kHeading;
    double score = std::fabs(static_cast<double>(sum) - static_cast<double>(target)) /
                   static_cast<double>(std::max<uint64_t>(target, 1));
    if (last.unit.kind == Unit::Kind::kHeading) score += 10;  // never leave a heading behind alone
    if (at_heading) {
      score -= kHeadingBonus;
    } else if (last.unit.paragraph_end && last.unit.kind == Unit::Kind::kSentence) {
      score -= kParagraphBonus;
    }
    if (score <= best_score) {
      best_score = score;
      best = k;
    }
  }
  return best;
}

void ChunkBuilder::EmitFirst(bool last_section, std::vector<Chunk>* chunks) {
  const uint32_t context_tokens = units_.front().context->tokens;
  const uint32_t budget = options_.tokens_max - context_tokens;
  size_t count = units_.size();
  if (!last_section || tokens_ > budget) {
    uint64_t target = budget * 95ull / 100;
    if (last_section) {
      // Even parts, so that no small rest is left.
      const uint64_t parts = (tokens_ + budget - 1) / budget;
      target = std::min<uint64_t>(budget, tokens_ / parts + budget / 16);
    }
    count = ChooseCut(target, budget);
  }
  Chunk chunk = MakeChunk(count);
  // Counters are not quite additive; the limit holds for what is embedded.
  while (chunk.tokens > options_.tokens_max && count > 1) chunk = MakeChunk(--count);
  if (chunk.tokens > options_.tokens_max) {
    Pending first = units_.front();
    std::vector<Pending> pieces;
    const uint32_t over = chunk.tokens - options_.tokens_max;
    first.tokens = std::max(first.tokens, 2u);
    SplitUnit(first, first.tokens > over + 1 ? first.tokens - over - 1 : 1, &pieces);
    if (pieces.size() > 1) {
      tokens_ -= units_.front().tokens;
      for (const Pending& piece : pieces) tokens_ += piece.tokens;
      body_units_ += first.unit.kind == Unit::Kind::kHeading ? 0 : pieces.size() - 1;
      units_.erase(units_.begin());
      units_.insert(units_.begin(), pieces.begin(), pieces.end());
      return;
    }
  }
  for (size_t i = 0; i < count; ++i) {
    tokens_ -= units_[i].tokens;
    body_units_ -= units_[i].unit.kind != Unit::Kind::kHeading;
  }
  units_.erase(units_.begin(), units_.begin() + static_cast<std::ptrdiff_t>(count));
  chunk.line_first = text_->LineAt(chunk.begin);
  chunks->push_back(std::move(chunk));
}

Chunk ChunkBuilder::MakeChunk(size_t count) {
  Chunk chunk;
  chunk.begin = units_.front().unit.begin;
  chunk.end = units_[count - 1].unit.end;
  chunk.heading = units_.front().context->path;
  chunk.text = text_->View(chunk.begin, chunk.end);
  chunk.page_first = text_->PageAt(chunk.begin);
  chunk.page_last = text_->PageAt(chunk.end - 1);
  chunk.tokens = counter_->Count(EmbeddedText(chunk.heading, chunk.text));
  return chunk;
}

void ChunkBuilder::Finish(std::vector<Chunk>* chunks) { Close(chunks); }

}  // namespace ragstone::ingest::internal

#include "index/internal/keywords/list_cursor.h"

#include <algorithm>

namespace ragstone::index::keywords {

void ListCursor::Restart(uint32_t ordinal) {
  const auto& blocks = list_->blocks();
  block_ = static_cast<size_t>(std::lower_bound(blocks.begin(), blocks.end(), ordinal,
                                                [](const PostingList::Block& block,
                                                   uint32_t value) { return block.last < value; }) -
                               blocks.begin());
  at_ = 0;
}

void ListCursor::JumpToBlock(uint32_t ordinal) {
  const auto& blocks = list_->blocks();
  // Gallops: most jumps are short.
  size_t step = 1;
  size_t low = block_;
  while (low + step < blocks.size() && blocks[low + step].last < ordinal) {
    low += step;
    step *= 2;
  }
  const size_t high = std::min(blocks.size(), low + step + 1);
  block_ =
      static_cast<size_t>(std::lower_bound(blocks.begin() + static_cast<ptrdiff_t>(low),
                                           blocks.begin() + static_cast<ptrdiff_t>(high), ordinal,
                                           [](const PostingList::Block& block, uint32_t value) {
                                             return block.last < value;
                                           }) -
                          blocks.begin());
}

size_t ListCursor::Find(uint32_t ordinal) {
  if (done() || ordinal < list_->blocks()[block_].first) return kBlockSize;
  const uint32_t* all = ordinals();
  const size_t count = list_->blocks()[block_].count;
  size_t at = at_;
  // A few steps, then halves.
  for (size_t i = 0; i < 8 && at < count && all[at] < ordinal; ++i) ++at;
  if (at < count && all[at] < ordinal) {
    at = static_cast<size_t>(std::lower_bound(all + at, all + count, ordinal) - all);
  }
  at_ = at;
  return at < count && all[at] == ordinal ? at : kBlockSize;
}

uint32_t ListCursor::FrequencyAt(uint32_t ordinal) {
  JumpToBlock(ordinal);
  const size_t at = Find(ordinal);
  return at == kBlockSize ? 0 : frequencies()[at];
}

}  // namespace ragstone::index::keywords

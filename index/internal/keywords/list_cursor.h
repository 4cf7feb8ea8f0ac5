#pragma once

#include <cstdint>

#include "index/internal/keywords/posting_list.h"

namespace ragstone::index::keywords {

// A place in a list that goes forward unless it is restarted. The list must outlive it.
class ListCursor {
 public:
  explicit ListCursor(const PostingList* list) : list_(list) {}

  const PostingList& list() const { return *list_; }
  size_t block() const { return block_; }
  bool done() const { return block_ >= list_->blocks().size(); }
  // Goes to the first block that ends at or behind `ordinal`.
  void SeekBlock(uint32_t ordinal) {
    const auto& blocks = list_->blocks();
    while (block_ < blocks.size() && blocks[block_].last < ordinal) ++block_;
  }
  // As SeekBlock, from wherever it is, forward or back.
  void Restart(uint32_t ordinal);
  // As SeekBlock, for far jumps.
  void JumpToBlock(uint32_t ordinal);
  // The frequency of the term at `ordinal`, 0 if it is not there.
  uint32_t FrequencyAt(uint32_t ordinal);
  // The place of `ordinal` in block(), kBlockSize if it is not there.
  size_t Find(uint32_t ordinal);

  // The numbers of block(), which is decoded at the first call.
  const uint32_t* ordinals() {
    if (ordinals_of_ != block_) {
      list_->DecodeOrdinals(block_, ordinals_);
      ordinals_of_ = block_;
      at_ = 0;
    }
    return ordinals_;
  }
  const uint32_t* frequencies() {
    if (frequencies_of_ != block_) {
      list_->DecodeFrequencies(block_, frequencies_);
      frequencies_of_ = block_;
    }
    return frequencies_;
  }

 private:
  const PostingList* list_;
  size_t block_ = 0;
  size_t at_ = 0;  // in the block: no ordinal asked for later is before
  size_t ordinals_of_ = SIZE_MAX;
  size_t frequencies_of_ = SIZE_MAX;
  uint32_t ordinals_[kBlockSize];
  uint32_t frequencies_[kBlockSize];
};

}  // namespace ragstone::index::keywords

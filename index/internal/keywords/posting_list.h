#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/internal/coding.h"
#include "index/internal/keywords/bit_packing.h"

namespace ragstone::index::keywords {

// That a term is in a row, given as the row's place in its segment, and how often.
struct Posting {
  uint32_t ordinal = 0;
  uint32_t frequency = 0;  // at least 1
};

// Postings of one stored part of a list; all parts of a list but the last have this many.
inline constexpr size_t kPartPostings = 64 * kBlockSize;

// A bound on how much of a term's weight a row can have, in 1/255, rounded up; see FrequencyPart.
using BoundFunction = std::function<uint8_t(const Posting&)>;

// The stored form of at most kPartPostings postings in order of ordinals, at least one.
std::string EncodePart(std::span<const Posting> postings, const BoundFunction& bound);

// The postings of one term in one segment, compressed in blocks. Unchangeable once filled, and then
// safe to share between threads.
class PostingList {
 public:
  // Appends a stored part. All of it is checked: DATA_LOSS (DATA_CORRUPT) unless ordinals ascend,
  // below `rows`, over all parts and every byte is used.
  Status AppendPart(std::string_view bytes, uint32_t rows);

  struct Block {
    uint32_t first = 0;  // no posting is before
    uint32_t last = 0;
    uint32_t place = 0;  // of the packed numbers in bytes_, or of a short block in shorts_
    uint8_t ordinal_bits = 0;
    uint8_t frequency_bits = 0;
    uint8_t count = 0;  // kBlockSize, or less for the last one
    uint8_t bound = 0;
  };

  uint32_t count() const { return count_; }
  const std::vector<Block>& blocks() const { return blocks_; }
  uint8_t bound() const { return bound_; }
  size_t bytes() const {
    return sizeof(*this) + bytes_.capacity() + blocks_.capacity() * sizeof(Block) +
           shorts_.capacity() * sizeof(Posting);
  }
  // Writes blocks()[block].count numbers; there must be room for kBlockSize.
  void DecodeOrdinals(size_t block, uint32_t* ordinals) const;
  void DecodeFrequencies(size_t block, uint32_t* frequencies) const;
  // All postings, appended.
  void DecodeAll(std::vector<Posting>* out) const;
  // How many postings have ordinals in [begin, end).
  uint32_t CountBetween(uint32_t begin, uint32_t end) const;

 private:
  uint32_t CountBefore(uint32_t ordinal) const;
  // Parts of AppendPart: false if the bytes are damaged.
  bool ReadBlock(Decoder* in, uint32_t rows, uint64_t* next, Block* block);
  bool ReadTail(Decoder* in, uint32_t rows, uint64_t next, Block* block);

  uint32_t count_ = 0;
  uint8_t bound_ = 0;
  std::vector<Block> blocks_;
  std::string bytes_;
  std::vector<Posting> shorts_;  // of blocks with fewer than kBlockSize
};

}  // namespace ragstone::index::keywords

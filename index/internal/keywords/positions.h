#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::index::keywords {

// The places of a term in the rows of one stored part of its list. Those of one posting are as many
// varints as its frequency: each the place minus the previous one. They lie together by blocks of
// postings, and the sizes of the blocks come first.
class PositionEncoder {
 public:
  // The places of the next posting, encoded.
  void Add(std::string_view encoded);
  std::string Finish();

 private:
  std::vector<size_t> sizes_;
  size_t postings_ = 0;
  std::string data_;
};

// Reads such a part, whose bytes must outlive it.
class PositionReader {
 public:
  // DATA_LOSS (DATA_CORRUPT) if the sizes do not fit the bytes.
  static Result<PositionReader> Open(std::string_view bytes);
  // The encoded places of all postings of a block that has these frequencies, one after the other.
  Status ReadBlock(size_t block, std::span<const uint32_t> frequencies,
                   std::vector<std::string_view>* encoded) const;

 private:
  std::vector<std::string_view> blocks_;
};

// Decodes what one posting has; the reader has checked it.
void DecodePositions(std::string_view encoded, std::vector<uint32_t>* positions);

}  // namespace ragstone::index::keywords

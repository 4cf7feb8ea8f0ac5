#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "index/internal/vectors/segment.h"

namespace ragstone::index::vectors {

// Where the chunks of a stored segment go. They are written in their order, from number 0.
class ChunkSink {
 public:
  virtual ~ChunkSink() = default;
  virtual Status Put(uint32_t number, std::string_view chunk) = 0;
};

// Where they come from.
class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  virtual Result<std::string> Get(uint32_t number) const = 0;
};

struct SegmentWriteOptions {
  // Whether the vectors are stored beside their codes and the graph. A caller that stores them
  // itself gives them back on reading.
  bool with_exact = true;
  // The last commit whose rows the segment holds.
  uint64_t covers_seq = 0;
  // Tells this segment's chunks from those of any other.
  uint64_t stamp = 0;
};

// Chunk 0 says what the segment is and how long its parts are; the others hold the parts one after
// the other. docs/FORMAT.md has the bytes.
Status WriteSegment(const Segment& segment, const SegmentWriteOptions& options, ChunkSink* sink);

// What was read, and what was said when it was written.
template <typename Index>
struct LoadedIndex {
  std::unique_ptr<Index> index;
  uint64_t covers_seq = 0;
  uint64_t stamp = 0;
};
using LoadedSegment = LoadedIndex<Segment>;

// Reads what WriteSegment wrote. DATA_LOSS (DATA_CORRUPT) if a chunk is missing, damaged, of
// another segment or of an unknown version: the caller builds the segment again. Vectors that were
// not stored come from `vectors`; without it they are missing, and searches rank by codes.
Result<LoadedSegment> ReadSegment(const ChunkSource& source, const ExactReader* vectors);

}  // namespace ragstone::index::vectors

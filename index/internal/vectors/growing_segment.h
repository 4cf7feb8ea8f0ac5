#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "index/internal/vectors/codes.h"
#include "index/internal/vectors/lower_bounds.h"
#include "index/internal/vectors/segment.h"

namespace ragstone::index::vectors {

// Rows that are still added to, as fp32 (bits under Hamming), searched by scanning, always exactly;
// int8 codes tell which rows need not be looked at (lower_bounds.h).
// One thread appends; any number search beside it without locks and see the rows that were
// published. Rows never move. Also the source from which a Segment is built.
class GrowingSegment : public RowSource {
 public:
  // INVALID_ARGUMENT for a spec that does not exist or no rows.
  static Result<std::unique_ptr<GrowingSegment>> Make(const VectorSpec& spec, size_t rows_max);

  // --- the writer's
  // Adds a row that readers see after Publish. The vector must have passed CheckVector.
  // RESOURCE_EXHAUSTED if rows_max() are there (LIMIT_EXCEEDED) or without memory.
  Status Append(RowId row, VectorData vector);
  void Publish() { rows_.store(written_, std::memory_order_release); }
  size_t rows_written() const { return written_; }
  size_t rows_max() const { return rows_max_; }

  // --- readers'
  const VectorSpec& spec() const { return spec_; }
  size_t rows() const override { return rows_.load(std::memory_order_acquire); }
  RowId id(size_t slot) const override;
  // Normalised under cosine.
  VectorData vector(size_t slot) const override;
  uint64_t bytes() const;

  // As Segment's. `ef`, `rescore`, `reader` and `restriction->rows` are not used.
  Status Search(VectorData query, const SearchOptions& options, const Restriction* restriction,
                std::vector<Hit>* hits) const;
  Status SearchRange(VectorData query, float distance_max, const SearchOptions& options,
                     const Restriction* restriction, std::vector<Hit>* hits) const;

 private:
  struct Chunk {
    Codes codes;
    std::optional<LowerBounds> bounds;
    std::vector<RowId> ids;
  };
  class Scan;
  GrowingSegment() = default;
  // The first chunks are small, so that small collections are, then each has 2 MiB.
  size_t ChunkRows(size_t chunk) const;
  size_t ChunkOf(size_t slot) const;

  VectorSpec spec_;
  CodePlan plan_;
  size_t rows_max_ = 0;
  std::vector<size_t> begins_;                  // of chunks
  std::vector<std::unique_ptr<Chunk>> chunks_;  // of all rows to come; null: not reached yet
  size_t written_ = 0;
  std::atomic<size_t> rows_{0};
};

}  // namespace ragstone::index::vectors

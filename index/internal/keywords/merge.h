#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "index/internal/keywords/segment.h"

namespace ragstone::index::keywords {

// One of the segments to be merged into one.
struct MergeInput {
  std::shared_ptr<const Segment> segment;
  std::vector<RowRange> dead;  // rows that nobody can see any more: left out
};

// Writes the lists of all inputs as those of the new segment `id`, in bounded batches; nothing of
// it counts until its row table is written, which is left to the caller. Returns the row table, or
// nothing if `stopped` said so, which is asked now and then.
Result<std::optional<RowTable>> WriteMerged(Store* store, IndexName name, uint64_t id,
                                            const std::vector<MergeInput>& inputs,
                                            const std::function<bool()>& stopped);

}  // namespace ragstone::index::keywords

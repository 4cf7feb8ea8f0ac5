#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "index/internal/core.h"
#include "index/internal/keywords/keyword_index.h"
#include "index/internal/records_db/index_files.h"
#include "index/internal/records_db/memory_budget.h"
#include "index/internal/records_db/memory_share.h"

namespace ragstone::index::records {

class RecordCollection;

// How the indexes of collections were loaded.
struct LoadCounts {
  std::atomic<uint64_t> from_files{0};  // with a stored state
  std::atomic<uint64_t> from_rows{0};   // without: all rows were read
  std::atomic<uint64_t> parts{0};       // vector parts that were read from files
  std::atomic<uint64_t> rows_read{0};   // rows that were decoded
  std::atomic<uint64_t> damaged{0};     // files that were of no use
};

// What the parts of an open RecordDatabase share. All of it is thread-safe.
struct RecordsEnv {
  Core* core = nullptr;
  const Clock* clock = nullptr;
  keywords::Shared keywords;
  size_t seal_rows = 0;      // growing vectors of so many rows are sealed
  size_t file_rows_min = 0;  // smaller collections have no files: their rows are read fast enough
  MemoryBudget* budget = nullptr;
  LoadCounts* loads = nullptr;
  // What of the memory for indexes falls to a collection: see FairShare.
  std::function<uint64_t(const RecordCollection&)> share;
  // Tells the background thread that a collection may need it.
  std::function<void(const std::shared_ptr<RecordCollection>&)> wake;

  size_t SealRowsOf(const StoredSpec& spec) const {
    return SealRowsWithin(spec, seal_rows, budget->limit());
  }
  Store& store() const { return core->store(); }
  // Gives a line to whoever keeps warnings for people.
  void Warn(const std::string& line) const {
    if (core->options().on_storage_warning) core->options().on_storage_warning(line);
  }
  IndexFolder FolderOf(CollectionId id) const { return {core->options().dir, id}; }
};

}  // namespace ragstone::index::records

#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "index/internal/core.h"
#include "index/internal/keywords/keyword_index.h"

namespace ragstone::index::records {

class RecordCollection;

// What the parts of an open RecordDatabase share. All of it is thread-safe.
struct RecordsEnv {
  Core* core = nullptr;
  const Clock* clock = nullptr;
  keywords::Shared keywords;
  size_t seal_rows = 0;  // growing vectors of so many rows are sealed
  // Tells the background thread that a collection may need it.
  std::function<void(const std::shared_ptr<RecordCollection>&)> wake;

  Store& store() const { return core->store(); }
};

}  // namespace ragstone::index::records

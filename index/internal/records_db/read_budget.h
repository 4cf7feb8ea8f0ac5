#pragma once

#include <atomic>
#include <cstddef>

#include "base/status.h"
#include "index/record_database.h"

namespace ragstone::index::records {

// What one call returns, counted while it is read, so that memory stays bounded. The searches of a
// batch share one. Thread-safe.
class ReadBudget {
 public:
  // RESOURCE_EXHAUSTED (LIMIT_EXCEEDED) once all that was taken is more than kReadBytesMax.
  Status Take(size_t bytes);

 private:
  std::atomic<size_t> taken_{0};
};

}  // namespace ragstone::index::records

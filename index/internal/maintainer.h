#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "base/mutex.h"
#include "index/internal/core.h"

namespace ragstone::index {

// The background work of loaded collections: seals and merges vectors, with their graphs, stores
// them in files, and merges fields. Owns a thread. Thread-safe.
class Maintainer {
 public:
  explicit Maintainer(Core* core) : core_(core) {}
  ~Maintainer() { Stop(); }
  void Start();
  // Stores what was sealed and is not stored yet, for some seconds.
  void Stop();
  // Segments may have changed.
  void Wake();
  // Removes what sealed vectors, stored and in memory, hold of deleted documents. They are read
  // anew when a search needs them next.
  Status ForgetVectors(Collection* collection);
  uint64_t failures() const { return failures_.load(); }

 private:
  void Loop();
  // Does one piece of work for each collection; returns whether there may be more.
  bool MaintainAll();
  Result<bool> MaintainVectors(Collection* collection);
  // Whether vectors were sealed.
  Result<bool> SealVectors(Collection* collection);
  // Measures the recall of graphs by what was asked of them, where there is enough.
  Status Calibrate(Collection* collection);
  // Stores sealed parts that are not stored yet, then the manifest, which makes them count, and
  // removes files that do not count any more. A crash at any point leaves the old manifest with its
  // files, or the new one.
  Status StoreVectors(Collection* collection, const std::function<bool()>& stopped);
  void StoreAll();

  Core* const core_;
  Mutex maintain_mutex_;  // vectors of one collection at a time
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
  Mutex mutex_;
  CondVar wake_;
  bool work_ GUARDED_BY(mutex_) = false;
};

}  // namespace ragstone::index

#pragma once

#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "index/internal/core.h"

namespace ragstone::index {

// Builds graphs and joins segments of vectors and fields of loaded collections in the background.
// Owns a thread.
// Thread-safe.
class Maintainer {
 public:
  explicit Maintainer(Core* core) : core_(core) {}
  ~Maintainer() { Stop(); }
  void Start();
  void Stop();
  // Segments may have changed.
  void Wake();
  uint64_t failures() const { return failures_.load(); }

 private:
  void Loop();
  // Does one piece of work for each collection; returns whether there may be more.
  bool MaintainAll();

  Core* const core_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
  Mutex mutex_;
  CondVar wake_;
  bool work_ GUARDED_BY(mutex_) = false;
};

}  // namespace ragstone::index

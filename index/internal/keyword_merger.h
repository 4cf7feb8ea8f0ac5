#pragma once

#include <atomic>
#include <thread>

#include "index/internal/core.h"

namespace ragstone::index {

// Merges the keywords of all collections in the background. Owns a thread. Thread-safe.
class KeywordMerger {
 public:
  explicit KeywordMerger(Core* core) : core_(core) {}
  ~KeywordMerger() { Stop(); }
  void Start();
  void Stop();
  uint64_t failures() const { return failures_.load(); }

 private:
  void Loop();
  Status Merge(Collection* collection);

  Core* const core_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
};

}  // namespace ragstone::index

#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "index/internal/core.h"

namespace ragstone::index {

// Merges the keywords of all collections in the background: a few segments at once while there is
// work, all of a collection into one when nothing came for a while. Owns a thread. Thread-safe.
class KeywordMerger {
 public:
  explicit KeywordMerger(Core* core) : KeywordMerger(core, std::chrono::seconds(10)) {}
  // `idle`: how long nothing must come.
  KeywordMerger(Core* core, std::chrono::milliseconds idle) : core_(core), idle_(idle) {}
  ~KeywordMerger() { Stop(); }
  void Start();
  void Stop();
  uint64_t failures() const { return failures_.load(); }

 private:
  void Loop();
  // Does what is due; returns whether something waits for readers.
  bool MergeAll();
  Status Merge(Collection* collection);
  bool AnyScattered() const;
  void CompactAll();

  Core* const core_;
  const std::chrono::milliseconds idle_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
};

}  // namespace ragstone::index

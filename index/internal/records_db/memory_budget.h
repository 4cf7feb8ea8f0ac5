#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace ragstone::index::records {

class RecordCollection;
struct MemoryCounter;

// Bytes that count while it exists: of a collection's indexes as long as anybody sees them, or of
// what is about to be made. Thread-safe.
class MemoryCharge {
 public:
  MemoryCharge(std::shared_ptr<MemoryCounter> counter, uint64_t bytes)
      : counter_(std::move(counter)), bytes_(bytes) {}
  ~MemoryCharge();
  MemoryCharge(const MemoryCharge&) = delete;
  MemoryCharge& operator=(const MemoryCharge&) = delete;
  void Set(uint64_t bytes);
  // Counts more; what was reserved for it may end afterwards.
  void Add(uint64_t bytes);
  uint64_t bytes() const { return bytes_.load(); }

 private:
  friend class MemoryBudget;
  const std::shared_ptr<MemoryCounter> counter_;  // which holds `bytes_` already
  std::atomic<uint64_t> bytes_;
};

// The memory that the indexes of all record collections may take together. To make room, the
// collections least recently used are unloaded; searches that still use them go on, and their
// memory counts until they end. Thread-safe.
class MemoryBudget {
 public:
  // 0: there is no limit.
  explicit MemoryBudget(uint64_t limit);

  // Counts `bytes` for `collection`, after making room. RESOURCE_EXHAUSTED (MEMORY_LIMIT) if they
  // do not fit; `what` begins the message. No commit lock may be held.
  Result<std::shared_ptr<MemoryCharge>> Reserve(uint64_t bytes, const RecordCollection* collection,
                                                std::string_view what);
  // Counts `bytes` more for what `charge` stands for, if there is room without unloading anything;
  // false if there is not. A commit lock may be held.
  bool TryAdd(uint64_t bytes, MemoryCharge* charge);
  // Unloads others while what was counted exactly is more than there is, as far as it helps. No
  // commit lock may be held.
  void Trim(const RecordCollection* collection);
  // It was loaded, and may be unloaded from now on.
  void Add(const std::shared_ptr<RecordCollection>& collection);
  // Increases; says when a collection was used.
  uint64_t Tick() { return ++tick_; }

  uint64_t used() const;
  uint64_t limit() const { return limit_; }

 private:
  bool Take(uint64_t bytes);
  std::shared_ptr<RecordCollection> Victim(const RecordCollection* collection);
  Status Refused(uint64_t bytes, std::string_view what) const;

  const uint64_t limit_;
  const std::shared_ptr<MemoryCounter> counter_;
  std::atomic<uint64_t> tick_{0};
  Mutex mutex_;
  std::vector<std::weak_ptr<RecordCollection>> loaded_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index::records

#pragma once

#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "index/internal/store.h"

namespace ragstone::index {

// Gives ascending numbers that are never given again, also after a crash: a block of numbers is
// reserved on disk before its first is given. The reservation needs no fsync of its own, because
// whatever makes one of the numbers durable comes later in the same log. Thread-safe.
class IdAllocator {
 public:
  // Numbers begin at 1. `name` is the counter's key.
  static Result<std::unique_ptr<IdAllocator>> Open(Store* store, std::string name, uint64_t block);
  // Returns the first of `count` consecutive numbers.
  Result<uint64_t> Take(uint64_t count = 1);

 private:
  IdAllocator(Store* store, std::string name, uint64_t block, uint64_t next)
      : store_(store), name_(std::move(name)), block_(block), next_(next), reserved_(next) {}

  Store* const store_;
  const std::string name_;
  const uint64_t block_;
  Mutex mutex_;
  uint64_t next_ GUARDED_BY(mutex_);
  uint64_t reserved_ GUARDED_BY(mutex_);  // numbers below may be given
};

}  // namespace ragstone::index

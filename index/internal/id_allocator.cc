#include "index/internal/id_allocator.h"

#include <memory>

#include "index/internal/records.h"

namespace ragstone::index {

Result<std::unique_ptr<IdAllocator>> IdAllocator::Open(Store* store, std::string name,
                                                       uint64_t block) {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored, store->Get(Family::kMeta, name));
  uint64_t next = 1;
  if (stored.has_value()) {
    ASSIGN_OR_RETURN(next, DecodeNumber(*stored));
  }
  return std::unique_ptr<IdAllocator>(new IdAllocator(store, std::move(name), block, next));
}

Result<uint64_t> IdAllocator::Take(uint64_t count) {
  MutexLock lock(&mutex_);
  if (next_ + count > reserved_) {
    // Under the lock, but only a write to memory and the log's buffer, once in a block.
    const uint64_t reserved = next_ + count + block_;
    StoreBatch batch(store_);
    batch.Put(Family::kMeta, name_, EncodeNumber(reserved));
    RETURN_IF_ERROR(store_->Write(&batch, /*sync=*/false));
    reserved_ = reserved;
  }
  const uint64_t first = next_;
  next_ += count;
  return first;
}

}  // namespace ragstone::index

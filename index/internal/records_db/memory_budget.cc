#include "index/internal/records_db/memory_budget.h"

#include <algorithm>
#include <chrono>

#include "index/internal/records_db/record_collection.h"

namespace ragstone::index::records {

// Outlives the budget while a state of a collection is held.
struct MemoryCounter {
  mutable Mutex mutex;
  CondVar changed;
  uint64_t used GUARDED_BY(mutex) = 0;

  void Change(uint64_t before, uint64_t after) {
    MutexLock lock(&mutex);
    used += after - before;
    if (after < before) changed.NotifyAll();
  }
};

namespace {

// Searches that hold what was unloaded, and loads of others, are waited for so long.
constexpr auto kWaitMax = std::chrono::seconds(2);
constexpr auto kWaitStep = std::chrono::milliseconds(20);

std::string Mebibytes(uint64_t bytes) {
  constexpr uint64_t kMebibyte = 1 << 20;
  return std::to_string((bytes + kMebibyte - 1) / kMebibyte) + " MiB";
}

}  // namespace

MemoryCharge::~MemoryCharge() { counter_->Change(bytes_.load(), 0); }

void MemoryCharge::Set(uint64_t bytes) { counter_->Change(bytes_.exchange(bytes), bytes); }

void MemoryCharge::Add(uint64_t bytes) {
  const uint64_t before = bytes_.fetch_add(bytes);
  counter_->Change(before, before + bytes);
}

MemoryBudget::MemoryBudget(uint64_t limit)
    : limit_(limit), counter_(std::make_shared<MemoryCounter>()) {}

uint64_t MemoryBudget::used() const {
  MutexLock lock(&counter_->mutex);
  return counter_->used;
}

bool MemoryBudget::Take(uint64_t bytes) {
  MutexLock lock(&counter_->mutex);
  if (limit_ != 0 && (bytes > limit_ || counter_->used > limit_ - bytes)) return false;
  counter_->used += bytes;
  return true;
}

bool MemoryBudget::TryAdd(uint64_t bytes, MemoryCharge* charge) {
  if (!Take(bytes)) return false;
  charge->bytes_.fetch_add(bytes);
  return true;
}

void MemoryBudget::Add(const std::shared_ptr<RecordCollection>& collection) {
  MutexLock lock(&mutex_);
  std::erase_if(loaded_, [&](const std::weak_ptr<RecordCollection>& other) {
    const std::shared_ptr<RecordCollection> held = other.lock();
    return held == nullptr || held == collection;
  });
  loaded_.push_back(collection);
}

void MemoryBudget::Trim(const RecordCollection* collection) {
  while (limit_ != 0 && used() > limit_) {
    const std::shared_ptr<RecordCollection> victim = Victim(collection);
    if (victim == nullptr) return;
    victim->Unload();
  }
}

std::shared_ptr<RecordCollection> MemoryBudget::Victim(const RecordCollection* collection) {
  std::shared_ptr<RecordCollection> victim;
  MutexLock lock(&mutex_);
  for (const std::weak_ptr<RecordCollection>& other : loaded_) {
    std::shared_ptr<RecordCollection> held = other.lock();
    if (held == nullptr || held.get() == collection || !held->loaded()) continue;
    if (victim == nullptr || held->last_used() < victim->last_used()) victim = std::move(held);
  }
  return victim;
}

Status MemoryBudget::Refused(uint64_t bytes, std::string_view what) const {
  return ResourceExhausted(
      Reason::kMemoryLimit,
      std::string(what) + " needs " + Mebibytes(bytes) + " of memory beside the " +
          Mebibytes(used()) + " in use; all record collections may take " + Mebibytes(limit_) +
          ": raise record_memory_limit, give their vectors a smaller storage, or drop some");
}

Result<std::shared_ptr<MemoryCharge>> MemoryBudget::Reserve(uint64_t bytes,
                                                            const RecordCollection* collection,
                                                            std::string_view what) {
  const auto until = std::chrono::steady_clock::now() + kWaitMax;
  while (!Take(bytes)) {
    const std::shared_ptr<RecordCollection> victim = Victim(collection);
    if (victim != nullptr) {
      victim->Unload();
      continue;
    }
    // Beside its own memory nothing may be in the way, or what is may be about to end.
    const uint64_t own = collection->charged_bytes();
    const bool possible = bytes <= limit_ && own <= limit_ - bytes;
    if (!possible || std::chrono::steady_clock::now() > until) return Refused(bytes, what);
    MutexLock lock(&counter_->mutex);
    counter_->changed.WaitUntil(&counter_->mutex, std::chrono::steady_clock::now() + kWaitStep);
  }
  return std::make_shared<MemoryCharge>(counter_, bytes);
}

}  // namespace ragstone::index::records

#include "index/internal/keywords/list_cache.h"

#include <algorithm>
#include <vector>

namespace ragstone::index::keywords {

uint64_t ListCache::BytesOf(std::string_view key, const std::shared_ptr<const LoadedList>& list) {
  constexpr uint64_t kNode = 96;  // of the map
  return kNode + key.size() + (list == nullptr ? 0 : list->list.bytes());
}

void ListCache::InsertYoung(Shard* shard, const std::string& key,
                            std::shared_ptr<const LoadedList> list) {
  const uint64_t bytes = BytesOf(key, list);
  if (shard->young_bytes + bytes > half_) {
    shard->old = std::move(shard->young);
    shard->old_bytes = shard->young_bytes;
    shard->young.clear();
    shard->young_bytes = 0;
  }
  if (shard->young.insert_or_assign(key, std::move(list)).second) shard->young_bytes += bytes;
}

bool ListCache::Find(std::string_view key, std::shared_ptr<const LoadedList>* list) {
  Shard& shard = ShardOf(key);
  MutexLock lock(&shard.mutex);
  const auto young = shard.young.find(key);
  if (young != shard.young.end()) {
    *list = young->second;
    return true;
  }
  const auto old = shard.old.find(key);
  if (old == shard.old.end()) return false;
  *list = old->second;
  const uint64_t bytes = BytesOf(key, *list);
  shard.old_bytes -= std::min(shard.old_bytes, bytes);
  shard.old.erase(old);
  InsertYoung(&shard, std::string(key), *list);
  return true;
}

void ListCache::Insert(const std::string& key, std::shared_ptr<const LoadedList> list) {
  Shard& shard = ShardOf(key);
  // A list that alone fills the room would drive out everything else.
  if (BytesOf(key, list) > half_) return;
  MutexLock lock(&shard.mutex);
  InsertYoung(&shard, key, std::move(list));
}

void ListCache::KeepRun(std::shared_ptr<const void> run, uint64_t bytes) {
  std::vector<std::shared_ptr<const void>> dropped;  // ends outside the lock
  MutexLock lock(&runs_mutex_);
  run_bytes_ += bytes;
  runs_.emplace_back(std::move(run), bytes);
  while (run_bytes_ > run_bytes_max_ && runs_.size() > 1) {
    run_bytes_ -= runs_.front().second;
    dropped.push_back(std::move(runs_.front().first));
    runs_.pop_front();
  }
}

uint64_t ListCache::bytes() const {
  uint64_t bytes = 0;
  {
    MutexLock lock(&runs_mutex_);
    bytes = run_bytes_;
  }
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mutex);
    bytes += shard.young_bytes + shard.old_bytes;
  }
  return bytes;
}

}  // namespace ragstone::index::keywords

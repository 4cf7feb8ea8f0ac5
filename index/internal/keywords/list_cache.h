#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "index/internal/keywords/posting_list.h"

namespace ragstone::index::keywords {

// A list that was read, with what is worked out from it again and again.
struct LoadedList {
  PostingList list;
  // How many of its postings are hidden rows': the generation of the hidden rows (see
  // Segment::Hidden) in the upper half, the count in the lower; 0: not known.
  mutable std::atomic<uint64_t> hidden{0};
};

// What searches read of segments, within a bound of bytes. Three quarters of it are for lists of
// terms by recency: what was not used while a half of the room filled up is dropped; absent terms
// are remembered too. The rest is for whole runs. Thread-safe.
class ListCache {
 public:
  explicit ListCache(uint64_t bytes_max)
      : half_(bytes_max / 4 * 3 / 2 / kShards), run_bytes_max_(bytes_max / 4) {}

  // False if it is not known. A list that is known not to be there is null.
  bool Find(std::string_view key, std::shared_ptr<const LoadedList>* list);
  void Insert(const std::string& key, std::shared_ptr<const LoadedList> list);
  // Keeps a run of so many bytes in memory until later ones need the room; the last one is kept
  // however large it is, so that a search reads it once and not for each of its words.
  void KeepRun(std::shared_ptr<const void> run, uint64_t bytes);
  uint64_t bytes() const;

 private:
  static constexpr size_t kShards = 16;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Map =
      std::unordered_map<std::string, std::shared_ptr<const LoadedList>, Hash, std::equal_to<>>;
  struct Shard {
    mutable Mutex mutex;
    Map young GUARDED_BY(mutex);
    Map old GUARDED_BY(mutex);
    uint64_t young_bytes GUARDED_BY(mutex) = 0;
    uint64_t old_bytes GUARDED_BY(mutex) = 0;
  };
  static uint64_t BytesOf(std::string_view key, const std::shared_ptr<const LoadedList>& list);
  void InsertYoung(Shard* shard, const std::string& key, std::shared_ptr<const LoadedList> list)
      REQUIRES(shard->mutex);
  Shard& ShardOf(std::string_view key) { return shards_[Hash()(key) % kShards]; }

  const uint64_t half_;
  const uint64_t run_bytes_max_;
  std::array<Shard, kShards> shards_;
  mutable Mutex runs_mutex_;
  std::deque<std::pair<std::shared_ptr<const void>, uint64_t>> runs_ GUARDED_BY(runs_mutex_);
  uint64_t run_bytes_ GUARDED_BY(runs_mutex_) = 0;
};

}  // namespace ragstone::index::keywords

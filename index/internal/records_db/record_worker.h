#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <thread>

#include "base/mutex.h"
#include "index/internal/records_db/record_collection.h"
#include "index/internal/records_db/records_env.h"

namespace ragstone::index::records {

// The background work of all record collections: removes superseded rows and old requests, seals
// and merges vectors, merges field indexes and keywords, removes dropped collections. What is to be
// done stands in the store or in the indexes, so a crash loses nothing. Owns a thread. Thread-safe.
class RecordWorker {
 public:
  explicit RecordWorker(const RecordsEnv* env) : env_(env) {}
  ~RecordWorker() { Stop(); }
  void Start();
  void Stop();
  // There may be something to do for it.
  void Wake(const std::shared_ptr<RecordCollection>& collection);
  // It was dropped; null: in an earlier run.
  void WakeDropped(CollectionId id, std::shared_ptr<RecordCollection> collection);

  // Does what there is to do for a collection now; returns whether something has to wait.
  Result<bool> Maintain(RecordCollection* collection);
  uint64_t failures() const { return failures_.load(); }
  // The last error of the background thread, for people; empty if there was none.
  std::string last_error() const;

 private:
  using Collections = std::set<std::shared_ptr<RecordCollection>>;
  using Dropped = std::map<CollectionId, std::shared_ptr<RecordCollection>>;

  void Loop();
  void RunOnce(Collections* collections, Dropped* dropped);
  Status Removed(CollectionId id, RecordCollection* collection);
  void Note(const Status& status);

  // Returns whether rows remain that must wait.
  Result<bool> RemoveGone(RecordCollection* collection);
  Status SweepRequests(RecordCollection* collection);
  Status SealVectors(RecordCollection* collection);
  Status MergeTexts(RecordCollection* collection);

  const RecordsEnv* const env_;
  Mutex maintain_mutex_;  // one collection at a time
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
  mutable Mutex mutex_;
  CondVar wake_;
  Collections woken_ GUARDED_BY(mutex_);
  Dropped dropped_ GUARDED_BY(mutex_);
  std::string last_error_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index::records

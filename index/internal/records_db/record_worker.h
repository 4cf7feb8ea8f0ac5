#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "base/mutex.h"
#include "index/internal/records_db/record_collection.h"
#include "index/internal/records_db/records_env.h"

namespace ragstone::index::records {

// The background work of all record collections: removes superseded rows and old requests, seals
// and merges vectors, merges field indexes and keywords, stores indexes in files, removes dropped
// collections. What is to be done stands in the store or in the indexes, so a crash loses nothing.
// Owns a thread, which the scheduler puts behind others. Thread-safe.
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
  // Stores the collection's indexes now.
  Status Save(RecordCollection* collection);
  // At the end, after Stop: stores what is worth it, as far as time allows.
  void SaveAll(const std::vector<std::shared_ptr<RecordCollection>>& collections);
  // Ends the history: removes all superseded rows that nobody reads, and then what the indexes hold
  // of them. Returns whether some remain that are read still.
  Result<bool> EndHistory(RecordCollection* collection);
  // Whether rows of dropped collections remain.
  bool RemovesDropped() const;

  uint64_t failures() const { return failures_.load(); }
  // The last error of the background thread, for people; empty if there was none.
  std::string last_error() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  using Pause = std::optional<std::chrono::milliseconds>;
  using Collections = std::map<std::shared_ptr<RecordCollection>, Time>;
  using Dropped = std::map<CollectionId, std::shared_ptr<RecordCollection>>;

  void Loop();
  // Takes what is due, or says until when nothing is.
  Time TakeDue(Collections* collections, Dropped* dropped) REQUIRES(mutex_);
  // Leaves in both what must be tried again, and when.
  void RunOnce(Collections* collections, Dropped* dropped);
  Status Removed(CollectionId id);
  void Note(const Status& status);

  // After how long the collection needs more; nothing: not before it is woken.
  Result<Pause> MaintainOne(RecordCollection* collection);
  // The same for rows that remain.
  Result<Pause> RemoveGone(RecordCollection* collection);
  Status SweepRequests(RecordCollection* collection);
  Status SealVectors(RecordCollection* collection);
  // Seals the vectors of one name; whether anything was made.
  Result<bool> SealOne(RecordCollection* collection, Indexes* indexes, size_t vector);
  // Measures the recall of graphs by what was asked of them, where there is enough.
  Status CalibrateOne(RecordCollection* collection, Indexes* indexes, size_t vector);
  Status MergeFields(RecordCollection* collection);
  Status MergeTexts(RecordCollection* collection);
  // Stores the indexes if they are due.
  Result<Pause> SaveIfDue(RecordCollection* collection);

  const RecordsEnv* const env_;
  Mutex maintain_mutex_;  // one collection at a time
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
  mutable Mutex mutex_;
  CondVar wake_;
  Collections woken_ GUARDED_BY(mutex_);  // when each is due
  Dropped dropped_ GUARDED_BY(mutex_);
  Time dropped_due_ GUARDED_BY(mutex_);
  bool removing_ GUARDED_BY(mutex_) = false;             // some were taken from dropped_
  std::shared_ptr<Indexes> sealing_ GUARDED_BY(mutex_);  // for which vectors are sealed now
  std::string last_error_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index::records

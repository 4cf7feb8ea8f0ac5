#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "index/internal/records_db/record_state.h"
#include "index/internal/records_db/write_queue.h"

namespace ragstone::index::records {

// What of a collection's indexes lies in files, as far as other parts need to know.
struct SavedIndexes {
  SequenceNumber version = 0;  // of the stored state; 0: there is none
  uint64_t bytes = 0;          // of the files
  uint64_t row_bytes = 0;      // that reading rows would have cost instead
};

// One record collection while the database is open. Thread-safe.
//
// Readers take the current state, which costs a copy of a pointer, and see nothing else. Whoever
// changes the collection holds commit_mutex() over it and then publishes a new state.
class RecordCollection {
 public:
  RecordCollection(std::shared_ptr<const StoredSpec> spec, const RecordState& stored,
                   SequenceNumber horizon, std::shared_ptr<const TextIndexes> texts);

  CollectionId id() const { return id_; }
  // Null once the collection was dropped.
  StateRef State() const;
  // No reader has, or will have, a state before this version.
  SequenceNumber Oldest() const;
  // Whether somebody has a state.
  bool InUse() const;
  // Reads as of versions before it find nothing complete.
  SequenceNumber horizon() const { return horizon_.load(std::memory_order_acquire); }
  void RaiseHorizon(SequenceNumber version) {
    if (version > horizon()) horizon_.store(version, std::memory_order_release);
  }

  // Held over a load, before commit_mutex().
  Mutex& load_mutex() const { return load_mutex_; }
  // Gives the indexes up; their memory goes with the last state that shows them. Takes
  // commit_mutex().
  void Unload();
  bool loaded() const { return charged_bytes() > 0; }
  // What the indexes count for, 0 while they are not loaded.
  uint64_t charged_bytes() const { return charged_bytes_.load(); }
  uint64_t last_used() const { return last_used_.load(); }
  void Use(uint64_t tick) { last_used_.store(tick); }

  SavedIndexes saved() const;
  void set_saved(const SavedIndexes& saved);
  // Rows that came or went since the stored state, and when the last did.
  uint64_t changes() const { return changes_.load(); }
  void AddChanges(uint64_t count);
  void TakeChanges(uint64_t count) { changes_.fetch_sub(count); }
  void SetChanges(uint64_t count) { changes_.store(count); }
  std::chrono::steady_clock::duration SinceChange() const;

  // --- under commit_mutex()
  Mutex& commit_mutex() const { return commit_mutex_; }
  void Publish(CollectionState state);
  void Drop();
  // Null: not loaded.
  void SetIndexes(std::shared_ptr<Indexes> indexes);
  const std::shared_ptr<Indexes>& indexes() const { return indexes_; }
  // After the memory of the indexes was counted anew.
  void NoteCharge();
  // What is written with every write.
  RecordState stored;
  // The log may hold a write that failed, and the next start may find it there. So whatever is
  // acknowledged after it, even if it changes nothing, has to be written after it.
  bool write_failed = false;
  // A write is on disk that no state shows, because showing it was cut short. What is shown is as
  // it was before; nothing can be written on top of it, and no indexes stored, before a restart.
  bool unpublished = false;

  // Writes that wait.
  WriteQueue& writes() { return writes_; }

 private:
  const CollectionId id_;
  mutable Mutex load_mutex_;
  mutable Mutex commit_mutex_;
  std::shared_ptr<Indexes> indexes_;
  std::atomic<uint64_t> charged_bytes_{0};
  std::atomic<uint64_t> last_used_{0};
  std::atomic<uint64_t> changes_{0};
  std::atomic<std::chrono::steady_clock::rep> changed_at_{0};
  std::atomic<SequenceNumber> horizon_;
  WriteQueue writes_;

  mutable Mutex mutex_;  // held for copies of pointers
  StateRef state_ GUARDED_BY(mutex_);
  SavedIndexes saved_ GUARDED_BY(mutex_);
  // Earlier states that may still be held, with their versions, ascending.
  mutable std::deque<std::pair<SequenceNumber, std::weak_ptr<const CollectionState>>> earlier_
      GUARDED_BY(mutex_);
};

// NOT_FOUND and ABORTED (COLLECTION_NOT_FOUND).
Status RecordCollectionNotFound(std::string_view name);
Status RecordCollectionDropped(std::string_view name);

}  // namespace ragstone::index::records

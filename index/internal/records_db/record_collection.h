#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "index/internal/records_db/record_state.h"
#include "index/internal/records_db/write_queue.h"

namespace ragstone::index::records {

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

  // --- under commit_mutex()
  Mutex& commit_mutex() const { return commit_mutex_; }
  void Publish(CollectionState state);
  void Drop();
  // What is written with every write.
  RecordState stored;
  // Null: not loaded.
  std::unique_ptr<Indexes> indexes;

  // Writes that wait.
  WriteQueue& writes() { return writes_; }

 private:
  const CollectionId id_;
  mutable Mutex commit_mutex_;
  std::atomic<SequenceNumber> horizon_;
  WriteQueue writes_;

  mutable Mutex mutex_;  // held for copies of pointers
  StateRef state_ GUARDED_BY(mutex_);
  // Earlier states that may still be held, with their versions, ascending.
  mutable std::deque<std::pair<SequenceNumber, std::weak_ptr<const CollectionState>>> earlier_
      GUARDED_BY(mutex_);
};

// NOT_FOUND and ABORTED (COLLECTION_NOT_FOUND).
Status RecordCollectionNotFound(std::string_view name);
Status RecordCollectionDropped(std::string_view name);

}  // namespace ragstone::index::records

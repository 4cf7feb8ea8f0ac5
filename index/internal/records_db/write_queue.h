#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/mutex.h"
#include "index/internal/records_db/stored_spec.h"

namespace ragstone::index::records {

// One write of a caller, while it waits.
struct WriteOp {
  enum class Kind : uint8_t { kUpsert, kDelete, kUpdate };
  Kind kind = Kind::kUpsert;
  std::vector<Record> records;    // of kUpsert
  std::vector<std::string> rows;  // encoded, without version
  RecordSelector selector;        // of kDelete and kUpdate
  PayloadChange change;           // of kUpdate
  WriteOptions options;
  uint64_t fingerprint = 0;  // of all that was given
  size_t bytes = 0;
  std::shared_ptr<const StoredSpec> checked;  // against which all was checked
  const CallContext* context = nullptr;

  Status status;
  WriteResult result;
  bool done = false;  // under the queue's lock

  // By filter: the rows that matched when it began, and how many of them were looked at. It is done
  // in several groups if they are many.
  bool started = false;
  std::vector<RowId> matches;
  size_t matches_done = 0;
  bool more() const { return matches_done < matches.size(); }

  bool by_filter() const {
    return kind != Kind::kUpsert && std::holds_alternative<Filter>(selector);
  }
};

// The writes of one collection that wait. While one thread writes a group, others come; the first
// of them writes the next group, for all. Thread-safe.
class WriteQueue {
 public:
  // Returns the group that the caller is to write, its own write first; or, after another thread
  // wrote it, nothing.
  std::vector<WriteOp*> Enter(WriteOp* op);
  // The group was written, or not: its status says.
  void Done(const std::vector<WriteOp*>& group);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<WriteOp*> waiting_ GUARDED_BY(mutex_);
  bool writing_ GUARDED_BY(mutex_) = false;
};

}  // namespace ragstone::index::records

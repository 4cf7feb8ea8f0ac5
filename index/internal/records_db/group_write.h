#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "index/internal/records_db/record_collection.h"
#include "index/internal/records_db/record_reader.h"
#include "index/internal/records_db/records_env.h"
#include "index/internal/records_db/request_book.h"
#include "index/internal/records_db/write_queue.h"

namespace ragstone::index::records {

// One batch of writes of a collection: all go to disk with one fsync and become visible together.
// Used by one thread, under the commit lock.
class GroupWrite {
 public:
  GroupWrite(const RecordsEnv& env, RecordCollection* collection);

  // Adds a write, or sets its status and adds nothing of it.
  void Add(WriteOp* op);
  // Writes what was added. On an error nothing of it was done.
  Status Commit();

 private:
  // A record that a write is about.
  struct Target {
    std::string id;
    RecordReader::IdRow now;  // kNoRow: there is none
  };
  struct Added {
    RowId row = kNoRow;
    Record record;
    bool live = true;  // not superseded by this batch
  };

  Status AddChecked(WriteOp* op);
  Status Recheck(WriteOp* op) const;
  Result<std::vector<Target>> FindTargets(WriteOp* op);
  // The next of the records that a filter matches.
  Result<std::vector<Target>> FindMatches(WriteOp* op);
  Result<RecordReader::IdRow> FindNow(const std::string& id);
  static Status CheckVersions(const std::vector<Target>& targets, const WriteOptions& options);
  // The records of targets after the change of their payload. Of those that a filter matches, only
  // the first are taken if all would be too large; the others are left to the next group.
  Result<std::vector<Record>> Changed(WriteOp* op, std::vector<Target>* targets);
  Result<Record> ReadNow(const Target& target);

  void PutRecord(const Target& target, Record record, std::string row);
  void PutGone(const Target& target, bool deleted);

  Status StageTexts();
  void PublishAll();

  const RecordsEnv& env_;
  RecordCollection* const collection_;
  const StateRef state_;
  const StoredSpec& spec_;
  RecordReader reader_;
  RequestBook requests_;
  StoreBatch batch_;
  RecordState stored_;
  int64_t now_ns_ = 0;
  SequenceNumber version_ = 0;  // of the write that is added
  RowId first_row_ = 0;
  std::unordered_map<std::string, RecordReader::IdRow> now_;  // what this batch made of ids
  std::vector<Added> added_;                                  // by row, from first_row_
  std::vector<Indexes::GoneRowId> gone_;                      // rows from before this batch
  std::map<uint16_t, keywords::RunBuilder> runs_;
  std::vector<Indexes::Row> shown_;
};

}  // namespace ragstone::index::records

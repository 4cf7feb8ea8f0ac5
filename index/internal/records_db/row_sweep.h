#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "index/internal/fields/row_set.h"
#include "index/internal/records_db/record_coding.h"
#include "index/internal/records_db/record_collection.h"
#include "index/internal/records_db/records_env.h"

namespace ragstone::index::records {

// Removes the rows of a collection that no reader can see and whose history has passed. Used by one
// thread.
class RowSweep {
 public:
  RowSweep(const RecordsEnv& env, RecordCollection* collection);
  // Removes rows whatever their age.
  void EndHistory() { history_ends_ = true; }
  Status Run(const std::atomic<bool>& stop);

  // What remains waits for somebody who reads an earlier state;
  bool waits_for_readers() const { return for_readers_; }
  // or for so long, until its history has passed.
  std::optional<std::chrono::milliseconds> waits_for_history() const { return for_history_; }

 private:
  bool Waits(const GoneKeyParts& parts, const GoneRow& gone);
  void Remove(const GoneKeyParts& parts, const GoneRow& gone);
  Status Write();

  const RecordsEnv& env_;
  RecordCollection* const collection_;
  const SequenceNumber oldest_;
  const SequenceNumber saved_version_;
  const int64_t now_ns_;
  bool history_ends_ = false;
  uint64_t history_ns_ = 0;
  StoreBatch batch_;
  SequenceNumber removed_to_ = 0;
  fields::RowSet unsaved_;  // in the batch, and live in the stored state
  bool for_readers_ = false;
  std::optional<std::chrono::milliseconds> for_history_;
};

}  // namespace ragstone::index::records

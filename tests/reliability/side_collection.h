#pragma once

#include "tests/reliability/world.h"

namespace ragstone::index::reliability {

// A collection that is made, filled, altered, filled further, altered again and dropped, over and
// over. What it must be follows from the number of steps alone: 0 is before it was made.
class SideCollection {
 public:
  static constexpr uint64_t kStates = 6;

  SideCollection(RecordDatabase* records, uint64_t seed) : records_(records), seed_(seed) {}
  // Goes from the state after `step` steps to the next.
  Status Step(uint64_t step) const;
  // A violation if the collection is not as after `step` steps.
  Status Check(uint64_t step) const;
  // What is there after a crash: `step` steps, or one more if it had begun. Returns which.
  Result<uint64_t> Settle(uint64_t step, bool begun) const;

 private:
  RecordCollectionSpec SpecAt(uint64_t step) const;
  std::vector<Record> RecordsAt(uint64_t step) const;
  Record MakeRecord(uint64_t step, uint64_t number) const;
  Status CheckRecords(uint64_t step, const std::vector<Record>& expected) const;

  RecordDatabase* const records_;
  const uint64_t seed_;
};

}  // namespace ragstone::index::reliability

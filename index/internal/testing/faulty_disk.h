#pragma once

#include <cstdint>
#include <memory>

namespace ragstone::index {

// For tests: a disk under RocksDB that fails. While one exists, databases that are opened read and
// write through it; the files themselves are where they always are. Thread-safe. One at a time; it
// must outlive the databases.
class FaultyDisk {
 public:
  enum class Operation : uint8_t { kRead, kWrite, kSync, kMetadata };

  // What goes wrong from now on. By default nothing does.
  struct Faults {
    uint64_t one_in[4] = {0, 0, 0, 0};  // by Operation: one in so many fails with EIO; 0: none
    uint64_t short_write_one_in = 0;    // a write fails after a part of it was written
    uint64_t room_bytes = UINT64_MAX;   // that may still be written: then ENOSPC
  };

  explicit FaultyDisk(uint64_t seed);
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  void Set(const Faults& faults);
  // How many operations failed.
  uint64_t failed() const;

  // From now on nothing is written any more, as if the power was gone.
  void CutPower();
  // After the database was closed: takes from the files what was never fsynced. Of the end of each
  // file a random part stays, of which pages may be missing, and new names of files that no fsync
  // of their folder followed are gone, as after a power cut.
  void LoseUnsynced();

 private:
  struct Impl;
  const std::shared_ptr<Impl> impl_;
};

}  // namespace ragstone::index

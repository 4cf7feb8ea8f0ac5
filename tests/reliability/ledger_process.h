#pragma once

#include <functional>
#include <string>

#include "tests/reliability/ledger.h"

namespace ragstone::index::reliability {

// What the parent of killed processes knows.
struct Journal {
  Ledger ledger;
  uint64_t side_steps = 0;
  bool side_begun = false;
};
Journal NewJournal(uint64_t seed, size_t writers);

// How one process lives.
struct LifeOptions {
  std::filesystem::path dir;
  uint64_t seed = 0;
  WorldOptions world;
  bool work = true;             // else it checks and ends
  uint64_t operations_max = 0;  // of each writer; 0: until it is killed
  bool crash_at_end = false;    // it kills itself when it is done, instead of closing the database
  std::function<void()> begin;  // called in the process before it opens the database
};

// Runs a process that opens the directory, checks everything against the journal, and then lets
// writers and a collection that comes and goes work until the process ends. What it was promised
// comes through a pipe, before and after each operation: the pipe is the kernel's, so what was
// written into it survives the process, as a file would, without an fsync for each line.
//
// It is killed so many milliseconds after it began, or after it had checked everything. The journal
// then holds what is known.
struct KillTime {
  uint64_t after_ms = UINT64_MAX;  // never
  bool once_checked = false;
};
struct LifeOutcome {
  bool killed = false;      // by a SIGKILL
  bool checked = false;     // it came as far as having checked everything
  uint64_t operations = 0;  // that were acknowledged
};
Result<LifeOutcome> RunLife(const LifeOptions& options, const KillTime& kill_time,
                            Journal* journal);

}  // namespace ragstone::index::reliability

// Kills processes that write, at random moments, on one data directory.
#include <algorithm>

#include "tests/reliability/ledger_process.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 30;
constexpr uint64_t kCyclesOfUnit = 100;
constexpr size_t kWriters = 8;
constexpr uint64_t kWorkMsMax = 400;
constexpr uint64_t kOpenMsMax = 300;
// The log may have 16 MiB; what is not compacted yet, and the records, are much less.
constexpr uint64_t kDirectoryMax = 128 << 20;

Status Cycles(const DrillOptions& options, uint64_t unit, uint64_t cycles, Figures* figures) {
  const ScratchFolder folder(options.dir, "kill");
  Random random(Mixed(options.seed, unit));
  Journal journal = NewJournal(Mixed(options.seed, unit, 1), kWriters);
  LifeOptions life;
  life.dir = folder.path() / "data";
  uint64_t operations = 0;
  uint64_t checked = 0;
  uint64_t bytes_max = 0;
  for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
    const std::string where = "cycle " + std::to_string(cycle);
    life.seed = random.Next();
    // One in four while it opens or checks, the others while it works.
    KillTime time;
    time.once_checked = !random.OneIn(4);
    time.after_ms = random.Below(time.once_checked ? kWorkMsMax : kOpenMsMax);
    ASSIGN_OR_RETURN(const LifeOutcome outcome, RunLife(life, time, &journal));
    if (!outcome.killed) return Violation(where + ": the process ended by itself");
    operations += outcome.operations;
    checked += outcome.checked ? 1 : 0;
    bytes_max = std::max(bytes_max, BytesIn(life.dir));
    if (bytes_max > kDirectoryMax) {
      return Violation(where + ": the directory has grown to " + std::to_string(bytes_max) +
                       " bytes");
    }
  }
  life.work = false;
  RETURN_IF_ERROR(RunLife(life, {}, &journal).status());
  if (operations == 0) return Violation("no operation was acknowledged before a kill");
  *figures = {{"cycles", static_cast<double>(cycles)},
              {"operations", static_cast<double>(operations)},
              {"checked", static_cast<double>(checked)},
              {"directory_kib", static_cast<double>(bytes_max >> 10)}};
  return OkStatus();
}

}  // namespace

Status RunKill(const DrillOptions& options) {
  const uint64_t all = options.count != 0 ? options.count : kShort;
  const uint64_t units = (all + kCyclesOfUnit - 1) / kCyclesOfUnit;
  return RunUnits(options, units, [&](uint64_t unit, Figures* figures) {
    const uint64_t cycles = std::min(kCyclesOfUnit, all - unit * kCyclesOfUnit);
    return Cycles(options, unit, cycles, figures);
  });
}

}  // namespace ragstone::index::reliability

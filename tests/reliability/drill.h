#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ragstone::index::reliability {

// What a drill is to do, from the command line.
struct DrillOptions {
  std::string drill;
  uint64_t seed = 20261123;
  uint64_t count = 0;             // units or operations; 0: the drill's short size
  uint64_t seconds = 0;           // of drills that run by time; 0: the drill's short size
  uint64_t threads = 0;           // 0: the drill's own
  uint64_t unit = UINT64_MAX;     // only this one, to reproduce it
  std::filesystem::path results;  // empty: none are kept
  std::filesystem::path dir;      // where data directories are made; it exists
};

using Figures = std::vector<std::pair<std::string, double>>;

// What a drill found that must not be. An error of the drill itself looks the same: both end it.
Status Violation(std::string message);

// A drill's results: one line of JSON for each unit that was finished, appended and fsynced, so
// that a run that was cut off goes on where it was.
class Results {
 public:
  // Reads what the file has of this drill, seed and size. Units that passed are not run again.
  static Result<Results> Open(const DrillOptions& options);
  bool Passed(uint64_t unit) const { return passed_.contains(unit); }
  // Notes the outcome, prints it, and returns the violation with the command that repeats it.
  Status Finish(uint64_t unit, const Status& outcome, const Figures& figures);

 private:
  explicit Results(const DrillOptions& options) : options_(options) {}
  DrillOptions options_;
  std::set<uint64_t> passed_;
};

// Runs `work(unit)` for every unit that has not passed yet, each in a process of its own, so that a
// crash is a finding too. Stops at the first violation.
using UnitWork = std::function<Status(uint64_t unit, Figures* figures)>;
Status RunUnits(const DrillOptions& options, uint64_t units, const UnitWork& work);

// Runs `work` in a child process. A child that ends by a signal or takes more than `seconds` is a
// violation.
Status RunInChild(const std::function<Status(Figures* figures)>& work, uint64_t seconds,
                  Figures* figures);

// In a child of RunInChild: what a violation, or a crash, is to be told with.
void Note(const std::string& text);

// A new folder below `parent`, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder(const std::filesystem::path& parent, std::string_view name);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A folder in memory, if the machine has one: for drills that no lost page would matter to.
std::filesystem::path FolderInMemory(const DrillOptions& options);
uint64_t BytesIn(const std::filesystem::path& folder);
// Resident memory of this process.
uint64_t ResidentBytes();

// Whether the program was built with a sanitizer: then figures of memory and time mean nothing.
bool Sanitized();

// The drills.
Status RunKill(const DrillOptions& options);
Status RunCrashPoints(const DrillOptions& options);
Status RunModel(const DrillOptions& options);
Status RunFaults(const DrillOptions& options);
Status RunCorruption(const DrillOptions& options);
Status RunChurn(const DrillOptions& options);
Status RunFilters(const DrillOptions& options);
Status RunDiskFull(const DrillOptions& options);
Status RunMixed(const DrillOptions& options);
Status RunSoak(const DrillOptions& options);
Status RunHistory(const DrillOptions& options);
Status RunBackup(const DrillOptions& options);
Status RunMemoryCap(const DrillOptions& options);
Status RunOldData(const DrillOptions& options);
// Writes the data directory that an archive of this release is made of; it must not exist.
Status MakeOldData(const std::filesystem::path& dir);

}  // namespace ragstone::index::reliability

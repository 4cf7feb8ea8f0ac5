#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "services/cli/connection.h"
#include "services/cli/options.h"
#include "services/settings.h"
#include "services/worker_pool.h"

namespace ragstone::services::cli {

enum class CheckLevel : uint8_t { kOk, kWarning, kFailure };

// One line of `ragstone doctor`.
struct Check {
  std::string name;  // "cpu", "model", …
  CheckLevel level = CheckLevel::kOk;
  std::string detail;  // what was found
  std::string remedy;  // what to do; empty if nothing
};

// Where the machine is looked at; another root in tests.
struct Machine {
  std::filesystem::path root = "/";
  bool run_tools = true;  // whether nvidia-smi may be asked
};

// The processor and what it can do, by /proc/cpuinfo.
Check CheckCpu(const Machine& machine);
// One line for each tier: used, or why not.
std::vector<Check> CheckTiers(const std::vector<TierState>& tiers);
// NVIDIA devices, the driver, and whether a worker can use them.
Check CheckGpu(const Machine& machine, const std::filesystem::path& workers_dir);
// The executables the server starts.
std::vector<Check> CheckWorkers(const std::filesystem::path& workers_dir);
// Installed, undamaged, and a default of each kind.
std::vector<Check> CheckModels(const Settings& settings);
// Room on the disk of a folder, or of the nearest parent that exists.
Check CheckDisk(const std::string& name, const std::filesystem::path& folder, uint64_t bytes_min);
// Whether a folder, or the nearest parent, can be written, and others cannot read it.
Check CheckRights(const std::string& name, const std::filesystem::path& folder);
// Whether it exists, its size, and who uses it.
std::vector<Check> CheckDataDir(const Settings& settings, const ServerHooks& hooks,
                                std::shared_ptr<CancelFlag> cancel);
// Landlock and seccomp, which confine the PDF worker.
std::vector<Check> CheckSandbox();
// The memory limit against what the machine has.
Check CheckMemory(const Settings& settings);
// poppler-data, without which some Chinese, Japanese and Korean PDFs cannot be read.
Check CheckPopplerData(const Machine& machine);
// Settings that are not at their default, with where they come from.
std::vector<Check> CheckSettings(const SettingSources& sources);

}  // namespace ragstone::services::cli

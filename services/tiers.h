#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/mutex.h"
#include "base/status.h"
#include "services/settings.h"
#include "services/worker_pool.h"
#include "services/workers/supervisor.h"

namespace ragstone::services {

// Chooses the model worker for this machine: the first of cuda, amx, avx512, avx2, v2 and generic
// that is installed and passes its self-test. Results of CPU tiers are remembered in
// `<models_dir>/tiers.json` by CPU and binary; cuda is tested at each start, since drivers come and
// go. Must outlive the Supervisor's last event. Thread-safe.
class TierChooser {
 public:
  TierChooser(const Settings& settings, Supervisor* supervisor);

  // The executable to use; waits for self-tests. UNAVAILABLE (WORKER_UNAVAILABLE) with what is
  // missing or failed.
  Result<std::filesystem::path> Executable(const CallContext& context);
  // All tiers in the order in which they are tried, each tested if it is there.
  std::vector<TierState> States();
  // The executable met an instruction that the CPU lacks: it is not used again. Returns whether
  // another one may work. Does not block.
  bool NoteIllegalInstruction(const std::filesystem::path& executable);

 private:
  struct Tier {
    TierState state;
    bool known = false;      // passed or failed for good
    bool remembered = true;  // whether the result may be kept in the file
    uint64_t bytes = 0;
    int64_t modified_ns = 0;
    std::string sha256;
  };

  std::vector<Tier> FindTiers() const;
  void LoadRemembered(std::vector<Tier>* tiers) const;
  std::string RememberedText() const REQUIRES(mutex_);
  // Waits until a tier is chosen or all are tested; saves what is new.
  Status WaitForTests(const CallContext& context, bool all);
  bool Done(bool all) const REQUIRES(mutex_);
  void TestNext() REQUIRES(mutex_);
  void OnTested(size_t index, const ProcessEvent& event);
  void Choose() REQUIRES(mutex_);
  Status NoneStatus() const REQUIRES(mutex_);

  const std::filesystem::path workers_dir_;
  const std::filesystem::path file_;
  const std::string forced_;  // setting cpu_tier
  Supervisor* const supervisor_;

  Mutex mutex_;
  CondVar changed_;
  bool prepared_ GUARDED_BY(mutex_) = false;
  bool testing_ GUARDED_BY(mutex_) = false;
  bool unsaved_ GUARDED_BY(mutex_) = false;
  std::vector<Tier> tiers_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::services

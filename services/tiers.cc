#include "services/tiers.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "services/cpu_identity.h"
#include "services/logging.h"
#include "services/workers/cancel_wakeup.h"

namespace ragstone::services {

namespace {

using nlohmann::json;

constexpr const char* kTierNames[] = {"cuda", "amx", "avx512", "avx2", "v2", "generic"};
constexpr std::chrono::milliseconds kSelfTestTimeMax{60'000};
constexpr int kFileVersion = 1;

}  // namespace

TierChooser::TierChooser(const Settings& settings, Supervisor* supervisor)
    : workers_dir_(settings.workers_dir),
      file_(settings.models_dir / "tiers.json"),
      forced_(settings.cpu_tier == "auto" ? "" : settings.cpu_tier),
      supervisor_(supervisor) {}

std::vector<TierChooser::Tier> TierChooser::FindTiers() const {
  std::vector<Tier> tiers;
  std::vector<std::string> names(std::begin(kTierNames), std::end(kTierNames));
  if (forced_ == "fake") names = {"fake"};
  for (const std::string& name : names) {
    Tier tier;
    tier.state.tier = name;
    tier.state.executable = workers_dir_ / ("ragstone-model-" + name);
    if (name == "fake") tier.state.executable = workers_dir_ / "ragstone-model-fake";
    struct stat info {};
    tier.state.present = ::stat(tier.state.executable.c_str(), &info) == 0;
    tier.state.reason = tier.state.present ? "not tested" : "not installed";
    tier.remembered = name != "cuda" && name != "fake";
    tier.bytes = static_cast<uint64_t>(info.st_size);
    tier.modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
    if (!forced_.empty() && name != forced_) {
      tier.known = true;
      tier.state.reason = "not looked at: the setting cpu_tier is " + forced_;
    }
    if (!tier.state.present) tier.known = true;
    tiers.push_back(std::move(tier));
  }
  LoadRemembered(&tiers);
  return tiers;
}

void TierChooser::LoadRemembered(std::vector<Tier>* tiers) const {
  const Result<std::string> text = ReadFile(file_, 1 << 20);
  json remembered = json::object();
  if (text.ok()) remembered = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const bool usable = remembered.is_object() &&
                      remembered.value("version", json()) == kFileVersion &&
                      remembered.value("cpu", json()) == CpuIdentity() &&
                      remembered.value("tiers", json()).is_object();
  for (Tier& tier : *tiers) {
    if (tier.known || !tier.remembered) continue;
    const json entry =
        usable ? remembered["tiers"].value(tier.state.tier, json::object()) : json::object();
    if (!entry.is_object()) continue;
    const bool same_file = entry.value("bytes", json()) == tier.bytes &&
                           entry.value("modified_ns", json()) == tier.modified_ns &&
                           entry.value("sha256", json()).is_string();
    if (same_file) {
      tier.sha256 = entry["sha256"].get<std::string>();
    } else {
      const Result<Sha256Digest> digest = Sha256OfFile(tier.state.executable);
      if (digest.ok()) tier.sha256 = digest->Hex();
    }
    const bool same_bytes = !tier.sha256.empty() && entry.value("sha256", json()) == tier.sha256;
    if (!same_bytes || !entry.value("passed", json()).is_boolean()) continue;
    tier.known = true;
    tier.state.passed = entry["passed"].get<bool>();
    const json reason = entry.value("reason", json());
    tier.state.reason = reason.is_string() ? reason.get<std::string>() : "remembered";
  }
}

std::string TierChooser::RememberedText() const {
  json tiers = json::object();
  for (const Tier& tier : tiers_) {
    if (!tier.known || !tier.remembered || tier.sha256.empty()) continue;
    tiers[tier.state.tier] = {{"bytes", tier.bytes},
                              {"modified_ns", tier.modified_ns},
                              {"sha256", tier.sha256},
                              {"passed", tier.state.passed},
                              {"reason", tier.state.reason}};
  }
  const json document = {{"version", kFileVersion}, {"cpu", CpuIdentity()}, {"tiers", tiers}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void TierChooser::Choose() {
  bool found = false;
  for (Tier& tier : tiers_) {
    tier.state.chosen = !found && tier.known && tier.state.passed;
    // A better tier that is not tested yet may still be the one.
    found = found || tier.state.chosen || !tier.known;
  }
}

bool TierChooser::Done(bool all) const {
  bool open = false;
  for (const Tier& tier : tiers_) {
    if (tier.state.chosen && !all) return true;
    open = open || !tier.known;
  }
  return !open;
}

void TierChooser::TestNext() {
  if (testing_) return;
  for (size_t index = 0; index < tiers_.size(); ++index) {
    const Tier& tier = tiers_[index];
    if (tier.known) continue;
    testing_ = true;
    ProcessSpec spec;
    spec.name = "selftest " + tier.state.tier;
    spec.executable = tier.state.executable;
    spec.arguments = {"--role", "selftest"};
    spec.ready_pipe = false;
    supervisor_->Start(std::move(spec), kSelfTestTimeMax, [this, index](const ProcessEvent& event) {
      if (event.kind == ProcessEvent::Kind::kExited) OnTested(index, event);
    });
    return;
  }
}

void TierChooser::OnTested(size_t index, const ProcessEvent& event) {
  MutexLock lock(&mutex_);
  testing_ = false;
  Tier& tier = tiers_[index];
  tier.known = true;
  const bool started = event.pid != 0;
  tier.state.passed = started && event.wait_status == 0 && !event.requested;
  std::string how = started ? DescribeWaitStatus(event.wait_status) : event.status.message();
  if (!event.last_output.empty()) how += ": " + event.last_output;
  tier.state.reason = tier.state.passed ? "passed the self-test" : "self-test failed: " + how;
  // Only what depends on CPU and binary alone is kept: a test may also fail for want of memory.
  const bool lasting = tier.state.passed || (started && WIFSIGNALED(event.wait_status) &&
                                             WTERMSIG(event.wait_status) == SIGILL);
  tier.remembered = tier.remembered && lasting;
  unsaved_ = unsaved_ || tier.remembered;
  LogEvent(LogLevel::kInfo, "tier.selftest",
           {{"tier", tier.state.tier}, {"result", tier.state.reason}});
  Choose();
  changed_.NotifyAll();
}

Status TierChooser::WaitForTests(const CallContext& context, bool all) {
  bool prepared = false;
  {
    MutexLock lock(&mutex_);
    prepared = prepared_;
  }
  std::vector<Tier> found;
  if (!prepared) found = FindTiers();
  const CancelWakeup wakeup(context, &mutex_, &changed_);
  Status status;
  std::string to_save;
  {
    MutexLock lock(&mutex_);
    // Another caller may have been faster.
    if (!prepared_) tiers_ = std::move(found);
    prepared_ = true;
    Choose();
    while (!Done(all)) {
      status = context.Check();
      if (!status.ok()) break;
      TestNext();
      if (context.has_deadline()) {
        changed_.WaitUntil(&mutex_, context.deadline());
      } else {
        changed_.Wait(&mutex_);
      }
    }
    if (status.ok() && unsaved_) to_save = RememberedText();
    if (status.ok()) unsaved_ = false;
  }
  if (!to_save.empty()) {
    // Without the file the tests run again next time, which is no reason to fail.
    Status saved = CreateDirectories(file_.parent_path());
    if (saved.ok()) saved = WriteFileAtomically(file_, to_save);
    if (!saved.ok()) LogEvent(LogLevel::kWarning, "tier.save", {{"status", saved.ToString()}});
  }
  return status;
}

Status TierChooser::NoneStatus() const {
  bool present = false;
  std::string reasons;
  for (const Tier& tier : tiers_) {
    present = present || tier.state.present;
    if (!tier.state.present && forced_ != tier.state.tier) continue;
    reasons += (reasons.empty() ? "" : "; ") + tier.state.tier + ": " + tier.state.reason;
  }
  if (!present) {
    return Unavailable(Reason::kWorkerUnavailable,
                       "there is no model worker (ragstone-model-*) in " + workers_dir_.string() +
                           "; install one there or set workers_dir");
  }
  return Unavailable(Reason::kWorkerUnavailable, "no model worker in " + workers_dir_.string() +
                                                     " works on this machine: " + reasons);
}

Result<std::filesystem::path> TierChooser::Executable(const CallContext& context) {
  RETURN_IF_ERROR(WaitForTests(context, /*all=*/false));
  MutexLock lock(&mutex_);
  for (const Tier& tier : tiers_) {
    if (tier.state.chosen) return tier.state.executable;
  }
  return NoneStatus();
}

std::vector<TierState> TierChooser::States() {
  // Self-tests have a time limit of their own.
  const Status tested = WaitForTests(CallContext(), /*all=*/true);
  MutexLock lock(&mutex_);
  std::vector<TierState> states;
  for (const Tier& tier : tiers_) states.push_back(tier.state);
  if (!tested.ok()) LogEvent(LogLevel::kWarning, "tier.states", {{"status", tested.ToString()}});
  return states;
}

bool TierChooser::NoteIllegalInstruction(const std::filesystem::path& executable) {
  MutexLock lock(&mutex_);
  bool other = false;
  for (Tier& tier : tiers_) {
    if (tier.state.executable == executable) {
      tier.known = true;
      tier.state.passed = false;
      tier.state.reason = "met an instruction that this CPU lacks (SIGILL)";
      unsaved_ = unsaved_ || tier.remembered;
    } else {
      other = other || !tier.known || tier.state.passed;
    }
  }
  Choose();
  changed_.NotifyAll();
  return other;
}

}  // namespace ragstone::services

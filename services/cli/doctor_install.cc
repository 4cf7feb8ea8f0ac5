#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "llm/model_store.h"
#include "ragstone/v1/admin.grpc.pb.h"
#include "services/cli/doctor.h"
#include "services/cli/text.h"
#include "services/data_dir.h"
#include "services/version.h"

namespace ragstone::services::cli {
namespace fs = std::filesystem;
namespace {

// Counting stops here, so that the doctor answers soon whatever lies in the folder.
constexpr size_t kEntriesMax = 200'000;

// The folder itself or the nearest parent that exists.
fs::path NearestExisting(const fs::path& folder) {
  std::error_code error;
  fs::path at = fs::absolute(folder, error);
  while (!fs::exists(at, error) && at.has_parent_path() && at != at.parent_path()) {
    at = at.parent_path();
  }
  return at;
}

std::string SizeOfFolder(const fs::path& folder) {
  uint64_t bytes = 0;
  size_t entries = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (++entries > kEntriesMax) return "more than " + HumanBytes(bytes);
    std::error_code ignored;
    if (it->is_regular_file(ignored) && !it->is_symlink(ignored)) {
      const uint64_t size = it->file_size(ignored);
      if (!ignored) bytes += size;
    }
  }
  return HumanBytes(bytes);
}

Check DefaultModelCheck(const llm::ModelStore& store, llm::ModelKind kind,
                        const std::string& chosen) {
  const bool embedding = kind == llm::ModelKind::kEmbedding;
  const std::string name = embedding ? "embedding model" : "generator model";
  const auto manifest = chosen.empty() ? store.Default(kind) : store.Get(chosen);
  if (!manifest.ok()) {
    return {name, CheckLevel::kFailure, manifest.status().message(),
            "install one with `ragstone model import PATH --default`"};
  }
  return {
      name, CheckLevel::kOk,
      fmt::format("{} is used ({})", manifest->name, chosen.empty() ? "the default" : "by setting"),
      ""};
}

// Whether another process holds the data directory although no server answers. The lock is taken
// and released at once.
Check LockCheck(const fs::path& data_dir) {
  std::error_code error;
  Status locked;
  if (fs::exists(data_dir, error)) locked = DataDir::Lock(data_dir, 0).status();
  if (!locked.ok()) {
    return {"server", CheckLevel::kWarning, locked.message(),
            "wait for the command that is using it, or end that process"};
  }
  return {"server", CheckLevel::kOk,
          "none is running; commands work without one, `ragstone serve` starts one", ""};
}

std::vector<Check> RunningServerChecks(const v1::GetStatusResponse& status) {
  std::vector<Check> checks;
  Check server{
      "server", CheckLevel::kOk,
      fmt::format("version {}, process {}, up {}, {} resident, {} jobs{}", status.version(),
                  status.pid(), HumanDuration(status.uptime_s()), HumanBytes(status.rss_bytes()),
                  status.jobs_active(),
                  status.grpc_address().empty() ? "" : ", gRPC at " + status.grpc_address()),
      ""};
  if (status.version() != kVersion) {
    server.level = CheckLevel::kWarning;
    server.remedy = fmt::format("restart it: this command is version {}", kVersion);
  }
  checks.push_back(std::move(server));
  for (const v1::WorkerStatus& worker : status.workers()) {
    std::string detail = fmt::format("{}: {}", worker.role(), worker.executable());
    if (!worker.model().empty()) detail += " with " + worker.model();
    detail += worker.pid() == 0 ? ", not running" : fmt::format(", process {}", worker.pid());
    detail += fmt::format(", started {} times", worker.starts());
    if (!worker.device().empty()) detail += ", on " + worker.device();
    if (!worker.last_exit().empty()) detail += ", last end: " + worker.last_exit();
    checks.push_back({"running worker", CheckLevel::kOk, std::move(detail), ""});
  }
  return checks;
}

}  // namespace

std::vector<Check> CheckTiers(const std::vector<TierState>& tiers) {
  std::vector<Check> checks;
  bool any = false;
  for (const TierState& tier : tiers) {
    any = any || tier.chosen;
    const bool spare = tier.passed && !tier.chosen;
    checks.push_back({"tier " + tier.tier, CheckLevel::kOk,
                      fmt::format("{}: {}{}", tier.chosen ? "used" : "not used", tier.reason,
                                  spare ? ", but another one is preferred" : ""),
                      ""});
  }
  if (!any) {
    checks.push_back({"cpu tier", CheckLevel::kFailure, "no model worker can run here",
                      "build with llama.cpp (RAGSTONE_WITH_LLAMA), or correct cpu_tier"});
  }
  return checks;
}

std::vector<Check> CheckWorkers(const fs::path& workers_dir) {
  std::vector<Check> checks;
  const fs::path pdf = workers_dir / "ragstone-pdf";
  if (access(pdf.c_str(), X_OK) == 0) {
    checks.push_back({"pdf worker", CheckLevel::kOk, pdf.string(), ""});
  } else {
    checks.push_back(
        {"pdf worker", CheckLevel::kFailure,
         fmt::format("{} is missing or cannot be run; PDFs cannot be added", pdf.string()),
         "install Ragstone with its libexec folder, or correct workers_dir"});
  }
  return checks;
}

std::vector<Check> CheckModels(const Settings& settings) {
  const llm::ModelStore store(settings.models_dir);
  std::vector<Check> checks = {
      DefaultModelCheck(store, llm::ModelKind::kEmbedding, settings.embedding_model),
      DefaultModelCheck(store, llm::ModelKind::kGenerator, settings.generator_model)};
  const auto models = store.List();
  if (!models.ok()) {
    checks.push_back({"models", CheckLevel::kFailure, models.status().message(),
                      "correct models_dir or its rights"});
    return checks;
  }
  for (const llm::Manifest& model : *models) {
    const Status verified = store.Verify(model);
    checks.push_back({"model", verified.ok() ? CheckLevel::kOk : CheckLevel::kFailure,
                      verified.ok()
                          ? fmt::format("{}: {}, {}, {}, undamaged", model.name, model.architecture,
                                        model.storage_type, HumanBytes(model.bytes))
                          : verified.message(),
                      verified.ok() ? "" : "remove and import it again"});
  }
  return checks;
}

Check CheckDisk(const std::string& name, const fs::path& folder, uint64_t bytes_min) {
  const fs::path at = NearestExisting(folder);
  struct statvfs info {};
  if (statvfs(at.c_str(), &info) != 0) {
    const Status status = ErrnoStatus(errno, "statvfs " + at.string());
    return {name, CheckLevel::kFailure, status.message(), "correct the path"};
  }
  const uint64_t free = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  Check check{name, CheckLevel::kOk, fmt::format("{} free at {}", HumanBytes(free), at.string()),
              ""};
  if (free < bytes_min) {
    check.level = CheckLevel::kWarning;
    check.remedy = fmt::format("free some room: less than {} is left", HumanBytes(bytes_min));
  }
  return check;
}

Check CheckRights(const std::string& name, const fs::path& folder) {
  std::error_code error;
  const bool exists = fs::exists(folder, error);
  const fs::path at = NearestExisting(folder);
  if (access(at.c_str(), W_OK | X_OK) != 0) {
    return {name, CheckLevel::kFailure, fmt::format("{} cannot be written", at.string()),
            "run as the owner of the folder, or change its rights"};
  }
  if (!exists) {
    return {name, CheckLevel::kOk, folder.string() + " does not exist yet; made at first use", ""};
  }
  struct stat info {};
  if (stat(folder.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0) {
    return {name, CheckLevel::kWarning, folder.string() + " can be written by everyone",
            fmt::format("run `chmod o-w {}`", folder.string())};
  }
  return {name, CheckLevel::kOk, folder.string() + " can be written", ""};
}

std::vector<Check> CheckDataDir(const Settings& settings, const ServerHooks& hooks,
                                std::shared_ptr<CancelFlag> cancel) {
  std::error_code error;
  std::vector<Check> checks;
  if (fs::exists(settings.data_dir, error)) {
    checks.push_back(
        {"data", CheckLevel::kOk,
         fmt::format("{} holds {}", settings.data_dir.string(), SizeOfFolder(settings.data_dir)),
         ""});
  }
  const auto connection = Connection::OpenRunning(settings, hooks, std::move(cancel));
  if (!connection.ok()) {
    checks.push_back(LockCheck(settings.data_dir));
    return checks;
  }
  const auto status = (*connection)
                          ->Unary(&v1::AdminService::Stub::GetStatus, v1::GetStatusRequest(),
                                  std::chrono::seconds(5));
  if (!status.ok()) {
    checks.push_back({"server", CheckLevel::kFailure, status.status().message(),
                      "look at its log, and restart it"});
    return checks;
  }
  for (Check& check : RunningServerChecks(*status)) checks.push_back(std::move(check));
  return checks;
}

}  // namespace ragstone::services::cli

#include "services/cli/doctor.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/text.h"
#include "services/version.h"

namespace ragstone::services::cli {
namespace {

// Less free room than this is a warning: a fresh index with a few documents fits.
constexpr uint64_t kDataBytesMin = uint64_t{1} << 30;
constexpr uint64_t kModelBytesMin = uint64_t{512} << 20;

std::string_view LevelName(CheckLevel level) {
  switch (level) {
    case CheckLevel::kOk:
      return "ok";
    case CheckLevel::kWarning:
      return "warn";
    case CheckLevel::kFailure:
      return "fail";
  }
  return "fail";
}

void Append(std::vector<Check>* checks, std::vector<Check> more) {
  for (Check& check : more) checks->push_back(std::move(check));
}

std::vector<Check> TierChecks(const Settings& settings) {
  auto pool = WorkerPool::Start(settings);
  if (!pool.ok()) {
    return {{"cpu tier", CheckLevel::kFailure, pool.status().message(),
             "check workers_dir and the rights of the runtime folder"}};
  }
  return CheckTiers((*pool)->Tiers());
}

std::vector<Check> AllChecks(const CommandContext& context) {
  const Settings& settings = context.settings;
  const Machine machine;
  std::vector<Check> checks = {
      {"version", CheckLevel::kOk, fmt::format("ragstone {}", kVersion), ""}};
  checks.push_back(CheckCpu(machine));
  Append(&checks, CheckWorkers(settings.workers_dir));
  Append(&checks, TierChecks(settings));
  checks.push_back(CheckGpu(machine, settings.workers_dir));
  Append(&checks, CheckModels(settings));
  checks.push_back(CheckMemory(settings));
  checks.push_back(CheckRights("data folder", settings.data_dir));
  checks.push_back(CheckDisk("data disk", settings.data_dir, kDataBytesMin));
  checks.push_back(CheckRights("models folder", settings.models_dir));
  checks.push_back(CheckDisk("models disk", settings.models_dir, kModelBytesMin));
  Append(&checks, CheckDataDir(settings, context.hooks, context.cancel));
  Append(&checks, CheckSandbox());
  checks.push_back(CheckPopplerData(machine));
  Append(&checks, CheckSettings(context.options.sources));
  return checks;
}

void PrintText(const std::vector<Check>& checks, Output* output) {
  size_t name_width = 0;
  for (const Check& check : checks) name_width = std::max(name_width, check.name.size());
  for (const Check& check : checks) {
    const std::string level = fmt::format("{:<4}", LevelName(check.level));
    const std::string mark = check.level == CheckLevel::kOk        ? output->Green(level)
                             : check.level == CheckLevel::kWarning ? output->Yellow(level)
                                                                   : output->Red(level);
    output->Line(
        fmt::format("{}  {:<{}}  {}", mark, check.name, name_width, Sanitize(check.detail)));
    if (!check.remedy.empty()) {
      output->Line(fmt::format("{:>{}}→ {}", "", name_width + 8, Sanitize(check.remedy)));
    }
  }
}

void PrintJson(const std::vector<Check>& checks, bool healthy, Output* output) {
  Json list = Json::array();
  for (const Check& check : checks) {
    list.push_back({{"name", check.name},
                    {"level", LevelName(check.level)},
                    {"detail", check.detail},
                    {"remedy", check.remedy}});
  }
  output->Json({{"healthy", healthy}, {"checks", list}});
}

}  // namespace

std::vector<Check> CheckSettings(const SettingSources& sources) {
  const auto values = DescribeSettings(sources);
  if (!values.ok()) {
    return {{"settings", CheckLevel::kFailure, values.status().message(),
             "see `ragstone --help-settings`"}};
  }
  std::vector<Check> checks;
  for (const SettingValue& value : *values) {
    if (value.origin == "default") continue;
    checks.push_back({"setting", CheckLevel::kOk,
                      fmt::format("{} = {} (from {})", value.name, value.value, value.origin), ""});
  }
  if (checks.empty()) checks.push_back({"settings", CheckLevel::kOk, "all at their defaults", ""});
  return checks;
}

Result<int> RunDoctor(const CommandContext& context) {
  const std::vector<Check> checks = AllChecks(context);
  bool healthy = true;
  for (const Check& check : checks) healthy = healthy && check.level != CheckLevel::kFailure;
  if (context.output->json()) {
    PrintJson(checks, healthy, context.output);
  } else {
    PrintText(checks, context.output);
  }
  return healthy ? kExitDone : kExitFailed;
}

}  // namespace ragstone::services::cli

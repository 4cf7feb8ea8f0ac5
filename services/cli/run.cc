#include "services/cli/run.h"

#include <fmt/format.h>

#include <ostream>

#include "services/cli/commands.h"
#include "services/cli/options.h"
#include "services/logging.h"

namespace ragstone::services::cli {
namespace {

using Command = Result<int> (*)(const CommandContext&);

const std::map<std::string, Command>& Commands() {
  static const auto* const commands = new std::map<std::string, Command>{
      {"serve", RunServe},
      {"add", RunAdd},
      {"ask", RunAsk},
      {"search", RunSearch},
      {"collection create", RunCollectionCreate},
      {"collection list", RunCollectionList},
      {"collection show", RunCollectionShow},
      {"collection alter", RunCollectionAlter},
      {"collection delete", RunCollectionDelete},
      {"document list", RunDocumentList},
      {"document show", RunDocumentShow},
      {"document update", RunDocumentUpdate},
      {"document delete", RunDocumentDelete},
      {"job list", RunJobList},
      {"job show", RunJobShow},
      {"job cancel", RunJobCancel},
      {"model list", RunModelList},
      {"model import", RunModelImport},
      {"model remove", RunModelRemove},
      {"record create", RunRecordCreate},
      {"record collections", RunRecordCollections},
      {"record show", RunRecordShow},
      {"record drop", RunRecordDrop},
      {"record upsert", RunRecordUpsert},
      {"record get", RunRecordGet},
      {"record delete", RunRecordDelete},
      {"record count", RunRecordCount},
      {"record search", RunRecordSearch},
      {"record export", RunRecordExport},
      {"backup", RunBackup},
      {"backup list", RunBackupList},
      {"backup verify", RunBackupVerify},
      {"restore", RunRestore},
      {"verify", RunVerify},
      {"purge", RunPurge},
      {"doctor", RunDoctor},
      {"version", RunVersion},
  };
  return *commands;
}

int ReportEnd(const ParseEnd& end, const Surroundings& surroundings) {
  Output output(surroundings.out, surroundings.err, surroundings.terminal, end.json);
  if (end.exit_code == kExitDone) {
    output.Write(end.text);
  } else if (end.json) {
    output.Error(InvalidArgument(Reason::kInvalidArgument, end.text));
  } else {
    output.Message(end.text);
  }
  return end.exit_code;
}

// A wrong value is wrong usage if it was given as a flag: without the flags the rest is right.
int SettingsExitCode(SettingSources sources) {
  if (sources.flags.empty()) return kExitFailed;
  sources.flags.clear();
  return LoadSettings(sources).ok() ? kExitUsage : kExitFailed;
}

// A server that only lives for this command keeps its log to itself, unless it is asked for.
void QuietLog(const Options& options, Settings* settings) {
  if (options.command == "serve") return;
  const auto values = DescribeSettings(options.sources);
  if (!values.ok()) return;
  for (const SettingValue& value : *values) {
    if (value.name == "log_level" && value.origin == "default") settings->log_level = "error";
  }
}

}  // namespace

int RunCli(const std::vector<std::string>& args, const Surroundings& surroundings) {
  auto parsed = ParseOptions(args);
  if (const auto* end = std::get_if<ParseEnd>(&parsed)) return ReportEnd(*end, surroundings);
  Options& options = std::get<Options>(parsed);
  options.sources.environment = surroundings.environment;
  Output output(surroundings.out, surroundings.err, surroundings.terminal, options.json);
  CommandContext context{.options = options,
                         .hooks = surroundings.hooks,
                         .cancel = surroundings.cancel,
                         .output = &output};
  if (options.command != "version") {
    auto settings = LoadSettings(options.sources);
    if (!settings.ok()) {
      output.Error(settings.status());
      return SettingsExitCode(options.sources);
    }
    context.settings = std::move(settings).value();
    QuietLog(options, &context.settings);
    SetLogLevel(context.settings.log_level);
  }
  const auto command = Commands().find(options.command);
  CHECK(command != Commands().end());
  const Result<int> code = command->second(context);
  if (!code.ok()) {
    output.Error(code.status());
    return kExitFailed;
  }
  // Output that went nowhere, as into a closed pipe or a full disk, is no success.
  return output.ok() || *code != kExitDone ? *code : kExitFailed;
}

}  // namespace ragstone::services::cli

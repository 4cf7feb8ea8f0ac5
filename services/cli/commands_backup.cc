#include <fmt/format.h>

#include <filesystem>

#include "index/operations.h"
#include "ragstone/v1/admin.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/operation_progress.h"
#include "services/cli/render.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

using Stub = v1::AdminService::Stub;

// The server may have another working directory, so it gets an absolute path.
Result<std::filesystem::path> Absolute(const std::string& named) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(named, error).lexically_normal();
  if (error) return ErrnoStatus(error.value(), "look for " + named);
  return path;
}

Json FinishedJson(const v1::BackupFinished& finished) {
  Json warnings = Json::array();
  for (const std::string& warning : finished.warnings()) warnings.push_back(warning);
  return {{"id", finished.id()},
          {"name", finished.name()},
          {"created_ns", finished.created_ns()},
          {"files", finished.files()},
          {"bytes", finished.bytes()},
          {"new_bytes", finished.new_bytes()},
          {"removed", finished.removed()},
          {"warnings", warnings}};
}

Result<int> Make(const CommandContext& context, const std::filesystem::path& directory) {
  Output* output = context.output;
  v1::BackupRequest request;
  request.set_directory(directory.string());
  request.set_name(context.options.name);
  request.set_keep(context.options.keep);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  Stub stub(connection->channel());
  Call call(connection->cancel());
  const auto reader = stub.Backup(call.context(), request);
  ASSIGN_OR_RETURN(
      const v1::BackupFinished finished,
      (FollowOperation<v1::BackupResponse>(*connection, reader.get(), output, "backup")));
  if (output->json()) {
    output->Json({{"backup", FinishedJson(finished)}});
    return kExitDone;
  }
  for (const std::string& warning : finished.warnings()) {
    output->Message("warning: " + Sanitize(warning));
  }
  output->Message(fmt::format("backup {} of {} is complete: {}, of which {} are new", finished.id(),
                              Sanitize(context.settings.data_dir.string()),
                              HumanBytes(finished.bytes()), HumanBytes(finished.new_bytes())));
  return kExitDone;
}

Result<int> List(const CommandContext& context, const std::filesystem::path& directory) {
  Output* output = context.output;
  ASSIGN_OR_RETURN(const auto backups, index::ListBackups(directory));
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "CREATED", "FILES", "SIZE"}};
  for (const index::BackupInfo& backup : backups) {
    list.push_back({{"id", backup.id},
                    {"name", backup.name},
                    {"created_ns", backup.created_ns},
                    {"files", backup.files},
                    {"bytes", backup.bytes},
                    {"damaged", backup.damaged}});
    if (backup.damaged) {
      rows.push_back({std::to_string(backup.id), "", "damaged", "", ""});
    } else {
      rows.push_back({std::to_string(backup.id), backup.name, FormatTimeOrDash(backup.created_ns),
                      std::to_string(backup.files), HumanBytes(backup.bytes)});
    }
  }
  if (output->json()) {
    output->Json({{"backups", list}});
  } else if (backups.empty()) {
    output->Message("there are no backups yet");
  } else {
    output->Write(FormatTable(rows));
  }
  return kExitDone;
}

Result<int> Verify(const CommandContext& context, const std::filesystem::path& directory) {
  Output* output = context.output;
  const uint64_t id = context.options.backup;
  ASSIGN_OR_RETURN(const auto problems,
                   index::VerifyBackups(directory, id, LocalOperation(context)));
  output->Progress("");
  Json list = Json::array();
  for (const index::BackupProblem& problem : problems) {
    list.push_back({{"backup", problem.backup}, {"problem", problem.what}});
    if (!output->json()) {
      output->Line(fmt::format("backup {}: {}", problem.backup, Sanitize(problem.what)));
    }
  }
  if (output->json()) {
    output->Json({{"good", problems.empty()}, {"problems", list}});
  } else if (problems.empty()) {
    output->Message("every byte is as it was written");
  }
  return problems.empty() ? kExitDone : kExitFailed;
}

}  // namespace

Result<int> RunBackup(const CommandContext& context) {
  if (context.options.paths.empty()) {
    context.output->Message("the directory is missing; usage: ragstone backup DIR");
    return kExitUsage;
  }
  ASSIGN_OR_RETURN(const std::filesystem::path directory, Absolute(context.options.paths.front()));
  return Make(context, directory);
}

Result<int> RunBackupList(const CommandContext& context) {
  return List(context, context.options.paths.front());
}

Result<int> RunBackupVerify(const CommandContext& context) {
  return Verify(context, context.options.paths.front());
}

}  // namespace ragstone::services::cli

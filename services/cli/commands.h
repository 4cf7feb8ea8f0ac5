#pragma once

#include <memory>

#include "base/call_context.h"
#include "base/status.h"
#include "services/cli/connection.h"
#include "services/cli/options.h"
#include "services/cli/output.h"
#include "services/settings.h"

namespace ragstone::services::cli {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoAnswer = 3;

// What a command works with.
struct CommandContext {
  const Options& options;
  Settings settings;
  ServerHooks hooks;
  std::shared_ptr<CancelFlag> cancel;  // raised when the user wants to stop
  Output* output = nullptr;
};

// The commands. Each prints what it found and returns an exit code; an error that ends the command
// is returned, and reported by the caller.
Result<int> RunServe(const CommandContext& context);
Result<int> RunAdd(const CommandContext& context);
Result<int> RunAsk(const CommandContext& context);
Result<int> RunSearch(const CommandContext& context);
Result<int> RunCollectionCreate(const CommandContext& context);
Result<int> RunCollectionList(const CommandContext& context);
Result<int> RunCollectionShow(const CommandContext& context);
Result<int> RunCollectionAlter(const CommandContext& context);
Result<int> RunCollectionDelete(const CommandContext& context);
Result<int> RunDocumentList(const CommandContext& context);
Result<int> RunDocumentShow(const CommandContext& context);
Result<int> RunDocumentUpdate(const CommandContext& context);
Result<int> RunDocumentDelete(const CommandContext& context);
Result<int> RunJobList(const CommandContext& context);
Result<int> RunJobShow(const CommandContext& context);
Result<int> RunJobCancel(const CommandContext& context);
Result<int> RunModelList(const CommandContext& context);
Result<int> RunModelImport(const CommandContext& context);
Result<int> RunModelRemove(const CommandContext& context);
Result<int> RunRecordCreate(const CommandContext& context);
Result<int> RunRecordCollections(const CommandContext& context);
Result<int> RunRecordShow(const CommandContext& context);
Result<int> RunRecordDrop(const CommandContext& context);
Result<int> RunRecordUpsert(const CommandContext& context);
Result<int> RunRecordGet(const CommandContext& context);
Result<int> RunRecordDelete(const CommandContext& context);
Result<int> RunRecordCount(const CommandContext& context);
Result<int> RunRecordSearch(const CommandContext& context);
Result<int> RunRecordExport(const CommandContext& context);
Result<int> RunBackup(const CommandContext& context);
Result<int> RunBackupList(const CommandContext& context);
Result<int> RunBackupVerify(const CommandContext& context);
Result<int> RunRestore(const CommandContext& context);
Result<int> RunVerify(const CommandContext& context);
Result<int> RunPurge(const CommandContext& context);
Result<int> RunDoctor(const CommandContext& context);
Result<int> RunVersion(const CommandContext& context);

// Opens the connection a command works over.
inline Result<std::unique_ptr<Connection>> Connect(const CommandContext& context) {
  return Connection::Open(context.settings, context.hooks, context.cancel);
}

}  // namespace ragstone::services::cli

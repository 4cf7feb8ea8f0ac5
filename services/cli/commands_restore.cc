#include <fmt/format.h>

#include <filesystem>

#include "base/clock.h"
#include "index/operations.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/operation_progress.h"
#include "services/cli/text.h"
#include "services/data_dir.h"

namespace ragstone::services::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kLockWaitMs = 1000;

bool IsEmpty(const fs::path& dir) {
  std::error_code error;
  return !fs::exists(dir, error) || fs::is_empty(dir, error);
}

// Renames the data directory, so that its place is free. Returns its new name.
Result<fs::path> MoveAside(const fs::path& dir) {
  // Nobody may use it; whoever comes later finds another directory.
  ASSIGN_OR_RETURN(const DataDir lock, DataDir::Lock(dir, kLockWaitMs));
  fs::path aside = dir;
  aside += fmt::format(".before-restore-{}", Clock::System()->NowNs() / 1'000'000);
  std::error_code error;
  fs::rename(dir, aside, error);
  if (!error) return aside;
  return ErrnoStatus(error.value(), "move " + dir.string() + " to " + aside.string() +
                                        " (a disk of its own cannot be moved: empty it instead)");
}

}  // namespace

Result<int> RunRestore(const CommandContext& context) {
  Output* output = context.output;
  const fs::path& dir = context.settings.data_dir;
  const index::RestoreSource source{context.options.paths.front(), context.options.backup};
  fs::path aside;
  // A restore that was cut off is taken up again: nothing in it is worth keeping.
  if (context.options.force && !IsEmpty(dir) && index::CheckRestored(dir).ok()) {
    // A damaged backup must not cost the data its place.
    ASSIGN_OR_RETURN(const auto problems, index::VerifyBackups(source.directory, source.backup,
                                                               LocalOperation(context)));
    if (!problems.empty()) {
      return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                    problems.front().what + "; nothing was restored");
    }
    ASSIGN_OR_RETURN(aside, MoveAside(dir));
  }
  ASSIGN_OR_RETURN(const DataDir lock, DataDir::Lock(dir, kLockWaitMs));
  ASSIGN_OR_RETURN(const index::BackupInfo backup,
                   index::RestoreBackup(source, dir, LocalOperation(context)));
  output->Progress("");
  if (output->json()) {
    output->Json({{"restored",
                   {{"backup", backup.id},
                    {"files", backup.files},
                    {"bytes", backup.bytes},
                    {"data_dir", dir.string()},
                    {"moved_aside", aside.string()}}}});
    return kExitDone;
  }
  output->Message(fmt::format("restored backup {} ({}) to {}", backup.id, HumanBytes(backup.bytes),
                              Sanitize(dir.string())));
  if (!aside.empty()) output->Message("what was there is now in " + Sanitize(aside.string()));
  return kExitDone;
}

}  // namespace ragstone::services::cli

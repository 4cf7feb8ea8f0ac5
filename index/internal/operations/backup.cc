// Backups: making, listing, verifying.
#include <algorithm>

#include "index/blob_store.h"
#include "index/internal/database_impl.h"
#include "index/internal/operations/backup_folder.h"
#include "index/internal/operations/checkpoint.h"
#include "index/internal/operations/layout.h"

namespace ragstone::index {

using namespace operations;  // NOLINT: its parts are what this file is made of

namespace {

namespace fs = std::filesystem;

Status CheckPlace(const BackupTarget& target, const fs::path& data_dir) {
  if (!target.directory.is_absolute()) {
    return InvalidArgument(Reason::kInvalidArgument, "the directory of backups " +
                                                         target.directory.string() +
                                                         " is not an absolute path; give one");
  }
  std::error_code error;
  const fs::path backups = fs::weakly_canonical(target.directory, error);
  if (error) return ErrnoStatus(error.value(), "look for " + target.directory.string());
  const fs::path data = fs::weakly_canonical(data_dir, error);
  if (error) return ErrnoStatus(error.value(), "look for " + data_dir.string());
  const auto [end, rest] = std::mismatch(data.begin(), data.end(), backups.begin(), backups.end());
  if (end != data.end()) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "the backups would lie in the data directory " + data.string() +
                             " and be lost with it; name a directory outside of it, on another "
                             "disk if there is one");
}

// One backup in the making.
class BackupMaker {
 public:
  BackupMaker(const OpenData& data, BackupFolder* folder, const Operation& operation)
      : data_(data), folder_(folder), steps_(&operation) {}

  Result<BackupOutcome> Run(const BackupTarget& target);

 private:
  struct Source {
    fs::path file;
    std::string path;    // in the data directory
    std::string origin;  // of a table
    const Sha256Digest* blob = nullptr;
  };
  // What is not in the folder yet; the rest goes to the manifest at once.
  Result<std::vector<Source>> Choose(const Checkpoint& checkpoint,
                                     const Checkpoint::Contents& contents);
  Status Copy(const Source& source);

  const OpenData& data_;
  BackupFolder* const folder_;
  Steps steps_;
  BackupManifest manifest_;
  BackupOutcome outcome_;
};

Result<std::vector<BackupMaker::Source>> BackupMaker::Choose(const Checkpoint& checkpoint,
                                                             const Checkpoint::Contents& contents) {
  std::vector<Source> sources;
  for (const fs::path& file : checkpoint.files()) {
    const std::string name = file.filename().string();
    Source source{file, DatabasePath(name), "", nullptr};
    const auto origin = contents.origins.find(name);
    if (origin != contents.origins.end()) source.origin = origin->second;
    std::optional<BackupFile> known;
    if (!source.origin.empty()) known = folder_->FindOrigin(source.origin);
    if (known) {
      known->path = source.path;
      manifest_.files.push_back(*std::move(known));
    } else {
      sources.push_back(std::move(source));
    }
  }
  const fs::path format = data_.dir / FormatPath();
  sources.push_back({format, FormatPath(), "", nullptr});
  for (const Sha256Digest& blob : contents.blobs) {
    Source source{data_.dir / BlobPath(blob), BlobPath(blob), "", &blob};
    std::error_code error;
    const uint64_t bytes = fs::file_size(source.file, error);
    if (error) {
      outcome_.warnings.push_back("the original " + blob.Hex() +
                                  " is missing in the data directory and not in the backup; "
                                  "`ragstone verify` tells whose it is");
    } else if (folder_->HasObject(blob, bytes)) {
      manifest_.files.push_back({source.path, blob, bytes, ""});
    } else {
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

Status BackupMaker::Copy(const Source& source) {
  // Damage is found here rather than at the restore.
  if (IsTable(source.file)) RETURN_IF_ERROR(CheckTable(source.file));
  ASSIGN_OR_RETURN(BackupFile file, folder_->Add(source.file, &steps_, &outcome_.new_bytes));
  if (source.blob != nullptr && file.hash != *source.blob) {
    outcome_.warnings.push_back("the original " + source.blob->Hex() +
                                " is damaged in the data directory and not in the backup; add its "
                                "document again");
    return OkStatus();
  }
  file.path = source.path;
  file.origin = source.origin;
  manifest_.files.push_back(std::move(file));
  return OkStatus();
}

Result<BackupOutcome> BackupMaker::Run(const BackupTarget& target) {
  RETURN_IF_ERROR(steps_.Begin("taking the state"));
  // Before the state is taken: what it names stays until it is copied.
  const std::unique_ptr<BlobStore::Hold> hold = data_.blobs->HoldRemovals();
  const Store& store = static_cast<DatabaseImpl*>(data_.database)->core().store();
  manifest_.created_ns = data_.clock->NowNs();
  manifest_.name = target.name;
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Make(store));
  ASSIGN_OR_RETURN(const Checkpoint::Contents contents, checkpoint.Read());
  ASSIGN_OR_RETURN(const std::vector<Source> sources, Choose(checkpoint, contents));
  uint64_t bytes = 0;
  for (const Source& source : sources) {
    std::error_code error;
    bytes += fs::file_size(source.file, error);
    if (error) return ErrnoStatus(error.value(), "look at " + source.file.string());
  }
  RETURN_IF_ERROR(CheckDiskFor(bytes, target.directory));
  RETURN_IF_ERROR(steps_.Begin("copying", bytes));
  for (const Source& source : sources) RETURN_IF_ERROR(Copy(source));
  std::sort(manifest_.files.begin(), manifest_.files.end(),
            [](const BackupFile& a, const BackupFile& b) { return a.path < b.path; });
  RETURN_IF_ERROR(folder_->Commit(&manifest_));
  ASSIGN_OR_RETURN(outcome_.removed, folder_->Keep(target.keep));
  RETURN_IF_ERROR(folder_->RemoveUnused());
  outcome_.backup = DescribeBackup(manifest_);
  return std::move(outcome_);
}

}  // namespace

namespace operations {

BackupInfo DescribeBackup(const BackupManifest& manifest) {
  return {manifest.id,           manifest.name,    manifest.created_ns,
          manifest.files.size(), manifest.bytes(), false};
}

}  // namespace operations

Result<BackupOutcome> CreateBackup(const OpenData& data, const BackupTarget& target,
                                   const Operation& operation) {
  RETURN_IF_ERROR(CheckBackupName(target.name));
  RETURN_IF_ERROR(CheckPlace(target, data.dir));
  ASSIGN_OR_RETURN(BackupFolder folder,
                   BackupFolder::Open(target.directory, BackupFolder::Access::kWrite));
  return BackupMaker(data, &folder, operation).Run(target);
}

Result<std::vector<BackupInfo>> ListBackups(const fs::path& directory) {
  ASSIGN_OR_RETURN(const BackupFolder folder,
                   BackupFolder::Open(directory, BackupFolder::Access::kRead));
  std::vector<BackupInfo> list;
  for (const BackupFolder::Entry& entry : folder.backups()) {
    BackupInfo info;
    info.id = entry.id;
    info.damaged = true;
    list.push_back(entry.manifest.ok() ? DescribeBackup(*entry.manifest) : info);
  }
  return list;
}

Result<std::vector<BackupProblem>> VerifyBackups(const fs::path& directory, uint64_t id,
                                                 const Operation& operation) {
  ASSIGN_OR_RETURN(const BackupFolder folder,
                   BackupFolder::Open(directory, BackupFolder::Access::kRead));
  if (id != 0 && std::none_of(folder.backups().begin(), folder.backups().end(),
                              [&](const auto& entry) { return entry.id == id; })) {
    return folder.Find(id).status();
  }
  std::vector<BackupProblem> problems;
  std::map<Sha256Digest, uint64_t> files;  // each once, and its size
  for (const BackupFolder::Entry& entry : folder.backups()) {
    if (id != 0 && entry.id != id) continue;
    if (!entry.manifest.ok()) {
      problems.push_back({entry.id, entry.manifest.status().message() +
                                        "; it cannot be restored, use another backup"});
      continue;
    }
    for (const BackupFile& file : entry.manifest->files) files[file.hash] = file.bytes;
  }
  uint64_t bytes = 0;
  for (const auto& [hash, size] : files) bytes += size;
  Steps steps(&operation);
  RETURN_IF_ERROR(steps.Begin("verifying", bytes));
  std::map<Sha256Digest, std::string> damaged;
  for (const auto& [hash, size] : files) {
    const Result<Sha256Digest> found = HashOnDisk(folder.ObjectPath(hash), &steps);
    RETURN_IF_ERROR(operation.context.Check());
    if (!found.ok()) {
      damaged[hash] = found.status().message();
    } else if (*found != hash) {
      damaged[hash] = folder.ObjectPath(hash).string() + " is damaged";
    }
  }
  for (const BackupFolder::Entry& entry : folder.backups()) {
    if ((id != 0 && entry.id != id) || !entry.manifest.ok()) continue;
    for (const BackupFile& file : entry.manifest->files) {
      const auto found = damaged.find(file.hash);
      if (found == damaged.end()) continue;
      problems.push_back({entry.id, file.path + ": " + found->second +
                                        "; remove that file and make a backup: if the data "
                                        "directory still has it, it is copied again"});
    }
  }
  return problems;
}

}  // namespace ragstone::index

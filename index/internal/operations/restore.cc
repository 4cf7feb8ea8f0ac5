// Restoring a backup into a data directory.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "index/internal/coding.h"
#include "index/internal/core.h"
#include "index/internal/operations/backup_folder.h"
#include "index/internal/operations/check.h"
#include "index/internal/operations/layout.h"

namespace ragstone::index {

using namespace operations;  // NOLINT: its parts are what this file is made of

namespace {

namespace fs = std::filesystem;

// Is there from before anything is written until everything has its place.
constexpr std::string_view kMarker = "restore.incomplete";
constexpr std::string_view kStaging = "restore.tmp";
// What a data directory without data may hold: the lock of the caller, what a disk of its own has.
constexpr std::array<std::string_view, 2> kHarmless = {"LOCK", "lost+found"};

bool HasMarker(const fs::path& dir) {
  std::error_code error;
  return fs::exists(dir / kMarker, error);
}

Status RemoveTree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? ErrnoStatus(error.value(), "remove " + path.string()) : OkStatus();
}

Status CheckEmpty(const fs::path& dir) {
  std::error_code error;
  fs::directory_iterator it(dir, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (std::find(kHarmless.begin(), kHarmless.end(), name) != kHarmless.end()) continue;
    return FailedPrecondition(Reason::kInvalidArgument,
                              "the data directory " + dir.string() + " is not empty (it has " +
                                  name +
                                  "); name an empty or new one, or move it aside with "
                                  "--force");
  }
  if (error) return ErrnoStatus(error.value(), "list " + dir.string());
  return OkStatus();
}

// Takes away all that a restore writes, the marker last. The folders are its own: it begins in a
// directory without them.
Status RemoveRestored(const fs::path& dir) {
  for (const std::string_view part : {kStaging, kDatabaseFolder, kBlobFolder}) {
    RETURN_IF_ERROR(RemoveTree(dir / part));
  }
  RETURN_IF_ERROR(SyncDirectory(dir));
  return RemoveTree(dir / kMarker);
}

Status RestoreFile(const BackupFolder& folder, const BackupFile& file, const fs::path& to,
                   Steps* steps) {
  ASSIGN_OR_RETURN(const BackupFile copy, CopyVerified(folder.ObjectPath(file.hash), to, steps));
  if (copy.hash == file.hash && copy.bytes == file.bytes) return OkStatus();
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the backup is damaged: " + folder.ObjectPath(file.hash).string() + ", which is " +
                    file.path +
                    ", has other bytes than when it was written; restore another "
                    "backup (`ragstone backup verify` tells which are good)");
}

Status RestoreFiles(const BackupFolder& folder, const BackupManifest& manifest,
                    const fs::path& staging, Steps* steps) {
  std::set<fs::path> folders = {staging, staging / kDatabaseFolder, staging / kBlobFolder,
                                staging / kDatabaseFolder / kRocksFolder};
  for (const BackupFile& file : manifest.files) {
    folders.insert((staging / file.path).parent_path());
  }
  for (const fs::path& path : folders) RETURN_IF_ERROR(CreateDirectories(path));
  RETURN_IF_ERROR(steps->Begin("restoring", manifest.bytes()));
  for (const BackupFile& file : manifest.files) {
    RETURN_IF_ERROR(RestoreFile(folder, file, staging / file.path, steps));
  }
  for (const fs::path& path : folders) RETURN_IF_ERROR(SyncDirectory(path));
  return OkStatus();
}

// Opens the database as a start would. It names index files that are not in a backup: they are made
// anew.
Status OpenOnce(const fs::path& dir) {
  constexpr uint64_t kMemoryBytes = 16 << 20;
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(dir, kMemoryBytes));
  StoreBatch batch(store.get());
  const std::unique_ptr<StoreIterator> it = store->NewIterator(Family::kMeta);
  for (const std::string_view prefix : {kMetaCollectionPrefix, records::kSpecPrefix}) {
    for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
      const std::string_view id = it->key().substr(prefix.size());
      if (id.size() == sizeof(CollectionId)) DropIndexes(Decoder(id).U32(), &batch);
    }
    RETURN_IF_ERROR(it->status());
  }
  return batch.empty() ? OkStatus() : store->Write(&batch, /*sync=*/true);
}

Status Rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return OkStatus();
  return ErrnoStatus(errno, "rename " + from.string() + " to " + to.string());
}

Status FillDirectory(const BackupFolder& folder, const BackupManifest& manifest,
                     const fs::path& dir, Steps* steps) {
  const fs::path staging = dir / kStaging;
  RETURN_IF_ERROR(RestoreFiles(folder, manifest, staging, steps));
  RETURN_IF_ERROR(steps->Begin("opening"));
  RETURN_IF_ERROR(OpenOnce(staging / kDatabaseFolder));
  RETURN_IF_ERROR(Rename(staging / kBlobFolder, dir / kBlobFolder));
  RETURN_IF_ERROR(Rename(staging / kDatabaseFolder, dir / kDatabaseFolder));
  RETURN_IF_ERROR(SyncDirectory(dir));
  RETURN_IF_ERROR(RemoveTree(staging));
  RETURN_IF_ERROR(RemoveTree(dir / kMarker));
  return SyncDirectory(dir);
}

}  // namespace

Result<BackupInfo> RestoreBackup(const RestoreSource& source, const fs::path& data_dir,
                                 const Operation& operation) {
  ASSIGN_OR_RETURN(const BackupFolder folder,
                   BackupFolder::Open(source.directory, BackupFolder::Access::kRead));
  ASSIGN_OR_RETURN(const BackupManifest manifest, folder.Find(source.backup));
  for (const BackupFile& file : manifest.files) {
    if (folder.HasObject(file.hash, file.bytes)) continue;
    return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                  "backup " + std::to_string(manifest.id) +
                      " is damaged: " + folder.ObjectPath(file.hash).string() + ", which is " +
                      file.path + ", is missing or has another size; restore another backup");
  }
  RETURN_IF_ERROR(CreateDirectories(data_dir));
  if (HasMarker(data_dir)) RETURN_IF_ERROR(RemoveRestored(data_dir));
  RETURN_IF_ERROR(CheckEmpty(data_dir));
  RETURN_IF_ERROR(CheckDiskFor(manifest.bytes(), data_dir));
  RETURN_IF_ERROR(
      WriteFileAtomically(data_dir / kMarker, "backup " + std::to_string(manifest.id) + "\n"));
  Steps steps(&operation);
  const Status status = FillDirectory(folder, manifest, data_dir, &steps);
  if (!status.ok()) {
    // If even that fails, the marker stays, and the next restore begins with it.
    (void)RemoveRestored(data_dir);
    return status;
  }
  return DescribeBackup(manifest);
}

Status CheckRestored(const fs::path& data_dir) {
  if (!HasMarker(data_dir)) return OkStatus();
  return FailedPrecondition(Reason::kDataCorrupt,
                            "the data directory " + data_dir.string() +
                                " holds a restore that was cut off (" + std::string(kMarker) +
                                "); run `ragstone restore` again, which begins anew");
}

}  // namespace ragstone::index

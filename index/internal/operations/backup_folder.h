#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "index/internal/operations/manifest.h"
#include "index/operations.h"

namespace ragstone::index::operations {

// Tells the progress of one step, and ends it once the caller is gone.
class Steps {
 public:
  explicit Steps(const Operation* operation) : operation_(operation) {}
  Status Begin(std::string_view step, uint64_t total = 0);
  Status Advance(uint64_t bytes);
  // CANCELLED or DEADLINE_EXCEEDED once the caller is gone.
  Status Check() const { return operation_->context.Check(); }

 private:
  const Operation* const operation_;
  std::string step_;
  uint64_t done_ = 0, total_ = 0, told_ = 0;
};

// Copies a file durably (fsync), reads the copy again from the disk, and returns the hash of its
// bytes. DATA_LOSS (DATA_CORRUPT) if the copy reads differently from what was written.
Result<BackupFile> CopyVerified(const std::filesystem::path& from, const std::filesystem::path& to,
                                Steps* steps);
// The hash of a file as it is on the disk, if the system lets us ask for that.
Result<Sha256Digest> HashOnDisk(const std::filesystem::path& path, Steps* steps);
// RESOURCE_EXHAUSTED (DISK_FULL) unless the disk of `dir` has room for so many bytes.
Status CheckDiskFor(uint64_t bytes, const std::filesystem::path& dir);

// A directory of backups, as docs/FORMAT.md describes it. Not thread-safe.
class BackupFolder {
 public:
  enum class Access { kRead, kWrite };
  // With kWrite makes the directory where it is missing or empty, and locks it: UNAVAILABLE
  // (DATA_DIR_LOCKED) if another backup runs. INVALID_ARGUMENT if it holds something else; with
  // kRead NOT_FOUND if it does not hold backups.
  static Result<BackupFolder> Open(const std::filesystem::path& dir, Access access);

  struct Entry {
    uint64_t id = 0;
    Result<BackupManifest> manifest;
  };
  // Oldest first.
  const std::vector<Entry>& backups() const { return backups_; }
  // With 0 the newest. NOT_FOUND; DATA_LOSS if it cannot be read, naming the newest that can.
  Result<BackupManifest> Find(uint64_t id) const;
  // A table that some backup has, if its bytes are still there.
  std::optional<BackupFile> FindOrigin(const std::string& origin) const;
  bool HasObject(const Sha256Digest& hash, uint64_t bytes) const;
  std::filesystem::path ObjectPath(const Sha256Digest& hash) const;

  // Puts a copy of a file under its hash. `added` grows by the bytes that were not there.
  Result<BackupFile> Add(const std::filesystem::path& file, Steps* steps, uint64_t* added);
  // Gives the manifest the next id and makes it a backup, durably.
  Status Commit(BackupManifest* manifest);
  // Removes backups older than the newest `count` that can be read; returns how many. 0: none.
  Result<size_t> Keep(size_t count);
  // Removes what belongs to no backup, unless some backup cannot be read: then it may need it.
  Status RemoveUnused();

 private:
  explicit BackupFolder(std::filesystem::path dir) : dir_(std::move(dir)) {}
  Status Make();
  Status Load();
  std::filesystem::path ManifestPath(uint64_t id) const;

  std::filesystem::path dir_;
  FileDescriptor lock_;
  std::vector<Entry> backups_;
  std::map<std::string, BackupFile> origins_;
};

}  // namespace ragstone::index::operations

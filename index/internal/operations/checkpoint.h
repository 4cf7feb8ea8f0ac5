#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/status.h"
#include "index/internal/store.h"

namespace ragstone::index::operations {

// The folder of a checkpoint, within that of the database. One may be left from a crash.
inline constexpr std::string_view kCheckpointFolder = "checkpoint.tmp";
Status RemoveCheckpoint(const std::filesystem::path& db_dir);

// The database as it is at one moment: its tables by other names, so that they stay while they are
// copied. Removed at the end.
class Checkpoint {
 public:
  static Result<Checkpoint> Make(const Store& store);
  ~Checkpoint();
  Checkpoint(Checkpoint&& other) noexcept;
  Checkpoint& operator=(Checkpoint&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // All files of it, tables and others.
  const std::vector<std::filesystem::path>& files() const { return files_; }

  struct Contents {
    // What tells each table from all others that ever were, by the name of its file.
    std::map<std::string, std::string> origins;
    std::set<Sha256Digest> blobs;  // which have a reference
  };
  Result<Contents> Read() const;

 private:
  explicit Checkpoint(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;  // empty: moved away
  std::vector<std::filesystem::path> files_;
};

// Compares every block of a table with its checksum: DATA_LOSS (DATA_CORRUPT).
Status CheckTable(const std::filesystem::path& table);
bool IsTable(const std::filesystem::path& file);

}  // namespace ragstone::index::operations

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/status.h"

namespace ragstone::index::operations {

// A file of a backup: its bytes lie in the backup's directory under their hash.
struct BackupFile {
  std::string path;  // within the data directory
  Sha256Digest hash;
  uint64_t bytes = 0;
  // Tells a table of the database from all others that ever were: if an earlier backup has it, its
  // bytes need not be read. Empty for other files.
  std::string origin;
};

// What a backup consists of, as docs/FORMAT.md describes it.
struct BackupManifest {
  uint64_t id = 0;
  std::string name;
  int64_t created_ns = 0;
  std::vector<BackupFile> files;

  uint64_t bytes() const;
};

std::string EncodeManifest(const BackupManifest& manifest);
// DATA_LOSS (DATA_CORRUPT) for anything that EncodeManifest did not write.
Result<BackupManifest> DecodeManifest(std::string_view text);

// INVALID_ARGUMENT unless a backup may have this name.
Status CheckBackupName(std::string_view name);

}  // namespace ragstone::index::operations

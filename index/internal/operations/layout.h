#pragma once

#include <string>
#include <string_view>

#include "base/hash.h"
#include "index/internal/operations/manifest.h"
#include "index/operations.h"

// Where things lie in a data directory.
namespace ragstone::index::operations {

inline constexpr std::string_view kDatabaseFolder = "db";
inline constexpr std::string_view kBlobFolder = "blobs";
inline constexpr std::string_view kRocksFolder = "rocksdb";

inline std::string DatabasePath(std::string_view rocksdb_file) {
  return std::string(kDatabaseFolder) + "/" + std::string(kRocksFolder) + "/" +
         std::string(rocksdb_file);
}

inline std::string FormatPath() { return std::string(kDatabaseFolder) + "/database.format"; }

inline std::string BlobPath(const Sha256Digest& blob) {
  const std::string hex = blob.Hex();
  return std::string(kBlobFolder) + "/" + hex.substr(0, 2) + "/" + hex;
}

BackupInfo DescribeBackup(const BackupManifest& manifest);

}  // namespace ragstone::index::operations

#pragma once

#include <rocksdb/file_system.h>

#include <filesystem>
#include <memory>

#include "base/status.h"

namespace ragstone::index {

// RocksDB takes damage in a log, or in the end of its list of tables, for what a power cut left of
// bytes that were not fsynced yet: it cuts the file there and goes on without what follows. So
// after each fsync of such a file its length and hash are noted, and the next start compares them:
// bytes that were fsynced are there after any power cut, and if they are not as they were, the disk
// has changed them.
//
// A note is written after the fsync that it tells of and is not fsynced itself. After a crash of
// the process it is up to date; after a power cut it may be older, as it was when the kernel last
// wrote it, and is still true. So there are no false alarms.
inline constexpr const char* kSyncedFilesNote = "database.synced";

// Before RocksDB is opened. OK without a note, or if both of its copies are damaged; DATA_LOSS
// (DATA_CORRUPT) names the first file whose fsynced bytes are not there or not as they were.
Status CheckSyncedFiles(const std::filesystem::path& dir);

// A file system that keeps the note of the files of RocksDB in `dir`, on top of `base`.
Result<std::shared_ptr<rocksdb::FileSystem>> NoteSyncedFiles(
    const std::filesystem::path& dir, const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace ragstone::index

#pragma once

#include <filesystem>

#include "base/status.h"

namespace ragstone::index {

// RocksDB takes a log or a list of tables whose end is missing for one that a crash cut off, and
// goes on without what stood there. So a database that is closed in order leaves a list of its
// files, and the next start, which knows by it that there was no crash, compares them. Tables are
// compared by their size: their blocks have checksums.

inline constexpr const char* kClosingListFile = "database.closed";

// After RocksDB was closed.
Status WriteClosingList(const std::filesystem::path& dir);
// Before it is opened. Takes the list away, durably, because the files are about to change. OK
// without a list; DATA_LOSS (DATA_CORRUPT) names the first file that is not as it was left.
Status CheckClosingList(const std::filesystem::path& dir);

}  // namespace ragstone::index

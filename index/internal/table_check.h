#pragma once

#include <filesystem>

#include "base/status.h"

namespace ragstone::index {

// Looks at the one place of RocksDB's tables that it uses before it has compared its checksum: a
// damaged bit there ends the process (7.8, ReadTablePropertiesHelper, in a build with assertions).
// Before RocksDB is opened. DATA_LOSS (DATA_CORRUPT) names the first such table; what else is
// damaged RocksDB finds itself.
Status CheckTableProperties(const std::filesystem::path& rocksdb);

}  // namespace ragstone::index

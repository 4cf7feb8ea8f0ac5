#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "index/database.h"
#include "index/filter/filter_parser.h"
#include "index/record_database.h"
#include "tests/reliability/drill.h"

namespace ragstone::index::reliability {

// A stream of numbers that depends on the seed only (SplitMix64, Steele and others 2014). Cheap to
// make, so that each record has one of its own.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  uint64_t operator()() { return Next(); }
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  float Normal();

 private:
  uint64_t state_;
};
uint64_t Mixed(uint64_t a, uint64_t b, uint64_t c = 0, uint64_t d = 0);

DenseVector NormalVector(Random* random, size_t dimensions);

// A database with its record collections, as long as it is open.
struct World {
  std::unique_ptr<Database> database;
  std::unique_ptr<RecordDatabase> records;

  // Members end in the right order by themselves; this is for opening again.
  void Close() {
    records.reset();
    database.reset();
  }
};

struct WorldOptions {
  uint64_t memory_bytes = 16ull << 20;
  uint64_t record_memory_bytes = 0;  // 0: as much as there is
  uint32_t seal_rows = 300;
  const Clock* clock = Clock::System();
};
Result<World> OpenWorld(const std::filesystem::path& dir, const WorldOptions& options = {});

// All background work there is of a collection, done by the caller.
Status MaintainAll(const World& world, std::string_view collection);
// The last error of the records' background thread; empty if there was none.
std::string WorkerError(const World& world);
// What RocksDB's block cache holds.
uint64_t BlockCacheBytes(const World& world);
// How many keys record collections hold on disk: rows, ids, superseded rows.
struct StoredKeys {
  uint64_t rows = 0;
  uint64_t ids = 0;
  uint64_t gone = 0;
};
Result<StoredKeys> CountStoredKeys(const World& world);

inline Filter Everything() { return And({}); }
inline Filter Is(std::string field, int64_t value) { return Equals(std::move(field), value); }

// Every record that matches, page by page. A violation if ids do not ascend.
Result<std::vector<Record>> ScrollAll(const RecordDatabase& records, std::string_view collection,
                                      const Filter& filter, const ReadOptions& options);

}  // namespace ragstone::index::reliability

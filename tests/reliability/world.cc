#include "tests/reliability/world.h"

#include <cmath>

#include "index/internal/database_impl.h"
#include "index/internal/records_db/record_database_impl.h"

namespace ragstone::index::reliability {
namespace {

constexpr size_t kPage = 700;

records::RecordDatabaseImpl& Impl(const World& world) {
  return static_cast<records::RecordDatabaseImpl&>(*world.records);
}

const Store& StoreOf(const World& world) {
  return static_cast<DatabaseImpl&>(*world.database).core().store();
}

}  // namespace

uint64_t Random::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

float Random::Normal() {
  // The sum of twelve uniform numbers is near enough to a normal one.
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += Unit();
  return static_cast<float>(sum);
}

uint64_t Mixed(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  uint64_t seed = a;
  for (const uint64_t part : {b, c, d}) seed = Random(seed ^ (part * 0xff51afd7ed558ccdu)).Next();
  return seed;
}

DenseVector NormalVector(Random* random, size_t dimensions) {
  DenseVector vector(dimensions);
  for (float& value : vector) value = random->Normal();
  return vector;
}

Result<World> OpenWorld(const std::filesystem::path& dir, const WorldOptions& options) {
  DatabaseOptions database;
  database.dir = dir;
  database.memory_bytes = options.memory_bytes;
  database.record_memory_bytes = options.record_memory_bytes;
  database.hnsw_vectors_min = options.seal_rows;
  World world;
  ASSIGN_OR_RETURN(world.database, Database::Open(database, options.clock));
  ASSIGN_OR_RETURN(world.records, RecordDatabase::Open(world.database.get(), options.clock));
  return world;
}

Status MaintainAll(const World& world, std::string_view collection) {
  ASSIGN_OR_RETURN(const auto found, Impl(world).Find(collection));
  return Impl(world).worker().Maintain(found.get()).status();
}

std::string WorkerError(const World& world) { return Impl(world).worker().last_error(); }

uint64_t BlockCacheBytes(const World& world) { return StoreOf(world).block_cache_bytes(); }

Result<StoredKeys> CountStoredKeys(const World& world) {
  const Store& store = StoreOf(world);
  const auto count = [&](Family family) -> Result<uint64_t> {
    uint64_t keys = 0;
    const std::unique_ptr<StoreIterator> it = store.NewIterator(family);
    for (it->Seek(""); it->Valid(); it->Next()) ++keys;
    RETURN_IF_ERROR(it->status());
    return keys;
  };
  StoredKeys keys;
  ASSIGN_OR_RETURN(keys.rows, count(Family::kRecord));
  ASSIGN_OR_RETURN(keys.ids, count(Family::kRecordId));
  ASSIGN_OR_RETURN(keys.gone, count(Family::kRecordGone));
  return keys;
}

Result<std::vector<Record>> ScrollAll(const RecordDatabase& records, std::string_view collection,
                                      const Filter& filter, const ReadOptions& options) {
  std::vector<Record> all;
  for (;;) {
    const std::string after = all.empty() ? "" : all.back().id;
    ASSIGN_OR_RETURN(const std::vector<Record> page,
                     records.Scroll(collection, filter, after, kPage, options, {}));
    for (const Record& record : page) {
      if (!all.empty() && record.id <= all.back().id) {
        return Violation("scrolling gave " + record.id + " after " + all.back().id);
      }
      all.push_back(record);
    }
    if (page.size() < kPage) return all;
  }
}

}  // namespace ragstone::index::reliability

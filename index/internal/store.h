#pragma once

#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "index/database.h"

namespace ragstone::index {

// Column families, by kind of record. The numbers are positions in an array, not on disk.
enum class Family : uint8_t {
  kMeta,      // counters, collections
  kDocument,  // published documents
  kSource,    // document of a source
  kPending,   // versions whose rows are to be removed
  kBatch,     // what one batch of chunks wrote
  kPage,
  kChunk,
  kVector,
  kPosting,
  kEmbedding,      // chunks by embedded text
  kTable,          // callers' small tables
  kRecord,         // rows of record collections
  kRecordId,       // rows of ids of records
  kRecordGone,     // superseded rows, which are to be removed
  kRecordRequest,  // outcomes of writes by request id
};
inline constexpr size_t kFamilies = 15;
std::string_view FamilyName(Family family);

// Returns the Status of a RocksDB outcome: the only place that knows both.
Status FromRocks(const rocksdb::Status& status, std::string_view what);

class Store;

// Writes of any families that go to disk together. Not thread-safe.
class StoreBatch {
 public:
  explicit StoreBatch(const Store* store) : store_(store) {}
  void Put(Family family, std::string_view key, std::string_view value);
  void Delete(Family family, std::string_view key);
  // Deletes the keys in [begin, end) that are stored now, each by itself: for few of them. If they
  // cannot be read, Store::Write returns why and writes nothing.
  void DeleteRange(Family family, std::string_view begin, std::string_view end);
  void Add(const Batch& batch);
  size_t bytes() const { return batch_.GetDataSize(); }
  bool empty() const { return batch_.Count() == 0 && status_.ok(); }
  void Clear() {
    batch_.Clear();
    status_ = OkStatus();
  }

 private:
  friend class Store;
  const Store* store_;
  rocksdb::WriteBatch batch_;
  Status status_;  // of reading the keys of ranges
};

// A position in one family. Reads a consistent state: that of the moment it was made. Not
// thread-safe; must end before the store.
class StoreIterator {
 public:
  explicit StoreIterator(std::unique_ptr<rocksdb::Iterator> it) : it_(std::move(it)) {}
  void Seek(std::string_view key) { it_->Seek(rocksdb::Slice(key.data(), key.size())); }
  void SeekBefore(std::string_view key);  // to the last key < `key`
  void SeekToLast() { it_->SeekToLast(); }
  void Next() { it_->Next(); }
  void Prev() { it_->Prev(); }
  bool Valid() const { return it_->Valid(); }
  bool ValidWithPrefix(std::string_view prefix) const {
    return it_->Valid() && it_->key().starts_with(rocksdb::Slice(prefix.data(), prefix.size()));
  }
  std::string_view key() const { return {it_->key().data(), it_->key().size()}; }
  std::string_view value() const { return {it_->value().data(), it_->value().size()}; }
  // The error that ended the iteration, if one did.
  Status status() const;

 private:
  std::unique_ptr<rocksdb::Iterator> it_;
};

// Ragstone's RocksDB: families, limits, conversion of errors. Thread-safe.
class Store {
 public:
  using WarningSink = std::function<void(std::string_view line)>;
  // As Database::Open. Takes the lock file, checks the format file, opens or creates RocksDB, whose
  // warnings go to `on_warning` from any thread.
  static Result<std::unique_ptr<Store>> Open(const std::filesystem::path& dir,
                                             uint64_t memory_bytes, WarningSink on_warning = {});
  // For tests: what stores that are opened from now on read and write through; null: the disk.
  static void SetFileSystemForTests(std::shared_ptr<rocksdb::FileSystem> file_system);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Result<std::optional<std::string>> Get(Family family, std::string_view key) const;
  std::unique_ptr<StoreIterator> NewIterator(Family family) const;
  // All or nothing. With `sync` it and everything written before is durable on return. After the
  // disk was full, takes up writing again if there is room, for which it waits some seconds.
  Status Write(StoreBatch* batch, bool sync);
  // Deletes all keys in [begin, end) that nobody reads or writes any more, in several writes that
  // are not synced: however many there are. May be repeated after an error or a crash.
  Status DeleteRange(Family family, std::string_view begin, std::string_view end);
  // Refuses what would add so many bytes: RESOURCE_EXHAUSTED (DISK_FULL) if the disk would then
  // have less free than the reserve. Asks the disk each time, so that it heals by itself.
  Status CheckRoom(uint64_t bytes) const;
  // At most a twentieth of the disk counts. Before the store is shared.
  void set_disk_reserve(uint64_t bytes) { disk_reserve_ = bytes; }
  // Writes the family anew on disk: what was deleted is gone from its files afterwards.
  Status Compact(Family family);
  // Writes what is in memory to tables, so that nothing lies in the log only.
  Status Flush();
  // For index/internal/operations.
  rocksdb::DB* rocks() const { return db_.get(); }
  const std::vector<rocksdb::ColumnFamilyHandle*>& handles() const { return handles_; }
  const std::filesystem::path& dir() const { return dir_; }
  uint64_t Property(Family family, const char* name) const;
  uint64_t block_cache_bytes() const;
  uint64_t write_buffer_bytes() const;

 private:
  friend class StoreBatch;
  Store() = default;
  rocksdb::ColumnFamilyHandle* Handle(Family family) const {
    return handles_[static_cast<size_t>(family)];
  }

  std::filesystem::path dir_;
  uint64_t disk_reserve_ = 0;
  uint64_t room_bytes_ = 0;  // with less on the disk RocksDB does not take up writing again
  FileDescriptor lock_;
  std::unique_ptr<rocksdb::Env> env_;
  std::shared_ptr<rocksdb::Cache> block_cache_;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace ragstone::index

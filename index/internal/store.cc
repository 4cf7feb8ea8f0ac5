#include "index/internal/store.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <set>
#include <thread>

#include "base/crash_point.h"
#include "index/internal/batch_impl.h"
#include "index/internal/closing_list.h"
#include "index/internal/synced_files.h"
#include "index/internal/table_check.h"

namespace ragstone::index {
namespace {

constexpr std::string_view kFormatLine = "ragstone database format 2\n";
constexpr std::string_view kFormatFile = "database.format";
constexpr std::string_view kLockFile = "database.lock";

// How long a write waits for RocksDB to take up writing once there is room again.
constexpr std::chrono::seconds kResumeMax{10};
constexpr std::chrono::milliseconds kResumePause{100};

constexpr size_t kDeleteBatchBytes = 256 << 10;

// The write buffer of one family; the write buffer manager holds the sum.
uint64_t WriteBufferBytes(uint64_t memory_bytes) {
  return std::clamp<uint64_t>(memory_bytes / 16, 1 << 20, 32 << 20);
}

bool HasRoom(const std::filesystem::path& dir, uint64_t bytes) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(dir, error);
  return !error && space.available >= bytes;
}

// Set by tests before they open a store.
std::shared_ptr<rocksdb::FileSystem>& FileSystemForTests() {
  static std::shared_ptr<rocksdb::FileSystem> file_system;
  return file_system;
}

constexpr std::array<std::string_view, kFamilies> kFamilyNames = {
    "default", "document", "source",    "pending",     "batch",
    "page",    "chunk",    "vector",    "posting",     "embedding",
    "table",   "record",   "record_id", "record_gone", "record_request"};

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }

Result<FileDescriptor> TakeLock(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / kLockFile;
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDWR | O_CREAT, 0600));
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "lock " + path.string());
    return Unavailable(Reason::kDataDirLocked,
                       "the data directory " + dir.string() +
                           " is in use by another process; stop it, or name another directory");
  }
  return file;
}

// Checks the format file, or writes it into a new directory.
Status CheckFormat(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / kFormatFile;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    if (std::filesystem::exists(dir / "rocksdb" / "CURRENT", ignored)) {
      return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                    "the data directory " + dir.string() + " holds a database but no " +
                        std::string(kFormatFile) + " file; restore it from a backup");
    }
    return WriteFileAtomically(path, kFormatLine, 0600);
  }
  ASSIGN_OR_RETURN(std::string line, ReadFile(path, 4096));
  if (line == kFormatLine) return OkStatus();
  line.erase(std::remove(line.begin(), line.end(), '\n'), line.end());
  return FailedPrecondition(
      Reason::kDataDirVersion,
      "the data directory " + dir.string() + " has \"" + line + "\", this program reads \"" +
          std::string(kFormatLine.substr(0, kFormatLine.size() - 1)) +
          "\"; use the program that wrote it, or a new directory and add the documents again");
}

// RocksDB begins a new database where the file that names its list of tables is missing.
Status CheckCurrent(const std::filesystem::path& rocksdb) {
  const std::filesystem::path current = rocksdb / "CURRENT";
  const auto damaged = [&](const std::string& how) {
    return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                  current.string() + how + "; restore the data directory from a backup");
  };
  std::error_code error;
  if (std::filesystem::exists(current, error)) {
    ASSIGN_OR_RETURN(std::string name, ReadFile(current, 4096));
    if (name.ends_with('\n')) name.pop_back();
    if (name.starts_with("MANIFEST-") && std::filesystem::exists(rocksdb / name, error)) {
      return OkStatus();
    }
    return damaged(" does not name a list of tables");
  }
  // A first start may have been cut off before there was one, but not with data.
  for (const auto& entry : std::filesystem::directory_iterator(rocksdb, error)) {
    const std::filesystem::path kind = entry.path().extension();
    if (kind == ".log" || kind == ".sst") return damaged(" is missing");
  }
  return OkStatus();
}

rocksdb::CompressionType BestCompression() {
  for (const rocksdb::CompressionType type : rocksdb::GetSupportedCompressions()) {
    if (type == rocksdb::kZSTD) return type;
  }
  return rocksdb::kNoCompression;
}

rocksdb::ColumnFamilyOptions FamilyOptions(Family family, uint64_t memory_bytes,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = WriteBufferBytes(memory_bytes);
  options.max_write_buffer_number = 3;
  options.level_compaction_dynamic_level_bytes = true;
  // Pages are compressed by us; vectors do not compress.
  const bool compress = family == Family::kChunk || family == Family::kBatch ||
                        family == Family::kDocument || family == Family::kPosting;
  options.compression = compress ? BestCompression() : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = 16 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Hands RocksDB's warnings on. Its own log is a file beside the data, and on a full disk the second
// line that cannot be written ends the process: Debian builds RocksDB with its assertions.
class WarningLogger : public rocksdb::Logger {
 public:
  explicit WarningLogger(Store::WarningSink sink)
      : rocksdb::Logger(rocksdb::WARN_LEVEL), sink_(std::move(sink)) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    if (!sink_) return;
    std::array<char, 1024> line;
    const int length = vsnprintf(line.data(), line.size(), format, arguments);
    if (length > 0) sink_({line.data(), std::min<size_t>(length, line.size() - 1)});
  }

 private:
  const Store::WarningSink sink_;
};

rocksdb::DBOptions DatabaseWideOptions(uint64_t memory_bytes,
                                       const std::shared_ptr<rocksdb::WriteBufferManager>& buffers,
                                       Store::WarningSink on_warning) {
  rocksdb::DBOptions options;
  options.info_log = std::make_shared<WarningLogger>(std::move(on_warning));
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.write_buffer_manager = buffers;
  options.max_total_wal_size = std::max<uint64_t>(memory_bytes / 2, 16 << 20);
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.bytes_per_sync = 1 << 20;
  // The list of tables holds their first and last keys. It is written anew at each change, so that
  // the keys of tables that are gone do not stay in it.
  options.max_manifest_file_size = 1;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // A power cut may leave holes in the part of the log that was not fsynced yet, which is not
  // damage: everything acknowledged lies before them. Damage before it is found by
  // CheckSyncedFiles.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  return options;
}

// Opens every table; returns the families that have deleted ranges, which this program does not
// write any more.
Result<std::set<std::string>> OpenTables(rocksdb::DB* db) {
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  rocksdb::Options options;
  options.env = db->GetEnv();
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  std::set<std::string> with_ranges;
  for (const rocksdb::LiveFileMetaData& file : files) {
    const std::string path = file.db_path + file.name;
    rocksdb::SstFileReader reader(options);
    RETURN_IF_ERROR(FromRocks(reader.Open(path), "open the table " + path));
    const auto properties = reader.GetTableProperties();
    if (properties != nullptr && properties->num_range_deletions > 0) {
      with_ranges.insert(file.column_family_name);
    }
  }
  return with_ranges;
}

// RocksDB 7.8 frees memory twice when an iterator meets a table whose index is damaged. So every
// table's index and filter are read once before anything else is, which their checksums vouch for.
Result<std::set<std::string>> CheckTables(rocksdb::DB* db) {
  // Compactions run already.
  RETURN_IF_ERROR(FromRocks(db->DisableFileDeletions(), "keep the database's files"));
  Result<std::set<std::string>> with_ranges = OpenTables(db);
  RETURN_IF_ERROR(FromRocks(db->EnableFileDeletions(/*force=*/false), "release the files"));
  return with_ranges;
}

}  // namespace

std::string_view FamilyName(Family family) { return kFamilyNames[static_cast<size_t>(family)]; }

Status FromRocks(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return OkStatus();
  const std::string message = std::string(what) + ": " + status.ToString();
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::SubCode::kNoSpace ||
      status.ToString().find("No space left on device") != std::string::npos) {
    return ResourceExhausted(Reason::kDiskFull,
                             message + "; free space on the data directory's disk, then repeat");
  }
  if (status.IsCorruption()) {
    return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                  message + "; restore the data directory from a backup");
  }
  if (status.IsShutdownInProgress()) return Unavailable(Reason::kShuttingDown, message);
  return Status(StatusCode::kInternal, Reason::kIo,
                message +
                    "; check the disk, then start again: whether the last writes were done "
                    "shows then");
}

void StoreBatch::Put(Family family, std::string_view key, std::string_view value) {
  batch_.Put(store_->Handle(family), ToSlice(key), ToSlice(value)).PermitUncheckedError();
}

void StoreBatch::Delete(Family family, std::string_view key) {
  batch_.Delete(store_->Handle(family), ToSlice(key)).PermitUncheckedError();
}

void StoreBatch::DeleteRange(Family family, std::string_view begin, std::string_view end) {
  const std::unique_ptr<StoreIterator> it = store_->NewIterator(family);
  for (it->Seek(begin); it->Valid() && it->key() < end; it->Next()) Delete(family, it->key());
  const Status status = it->status();
  if (!status.ok() && status_.ok()) status_ = status.WithContext("delete a range of keys");
}

void StoreBatch::Add(const Batch& batch) {
  for (const auto& operation : BatchAccess::Operations(batch)) {
    if (operation.is_delete) {
      Delete(operation.family, operation.key);
    } else {
      Put(operation.family, operation.key, operation.value);
    }
  }
}

void StoreIterator::SeekBefore(std::string_view key) {
  it_->SeekForPrev(ToSlice(key));
  if (it_->Valid() && it_->key() == ToSlice(key)) it_->Prev();
}

Status StoreIterator::status() const { return FromRocks(it_->status(), "read the database"); }

void Store::SetFileSystemForTests(std::shared_ptr<rocksdb::FileSystem> file_system) {
  FileSystemForTests() = std::move(file_system);
}

Result<std::unique_ptr<Store>> Store::Open(const std::filesystem::path& dir, uint64_t memory_bytes,
                                           WarningSink on_warning) {
  RETURN_IF_ERROR(CreateDirectories(dir));
  std::unique_ptr<Store> store(new Store());
  store->dir_ = dir;
  store->room_bytes_ = WriteBufferBytes(memory_bytes);
  ASSIGN_OR_RETURN(store->lock_, TakeLock(dir));
  RETURN_IF_ERROR(CheckFormat(dir));
  RETURN_IF_ERROR(CheckClosingList(dir));
  RETURN_IF_ERROR(CheckCurrent(dir / "rocksdb"));
  RETURN_IF_ERROR(CheckSyncedFiles(dir));
  RETURN_IF_ERROR(CheckTableProperties(dir / "rocksdb"));
  CrashPoint("store.list-taken");
  store->block_cache_ = rocksdb::NewLRUCache(memory_bytes / 4 * 3);
  store->write_buffers_ =
      std::make_shared<rocksdb::WriteBufferManager>(std::max<uint64_t>(memory_bytes / 4, 1 << 20));
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kFamilies; ++i) {
    const Family family = static_cast<Family>(i);
    families.emplace_back(std::string(FamilyName(family)),
                          FamilyOptions(family, memory_bytes, store->block_cache_));
  }
  rocksdb::DB* db = nullptr;
  const std::string path = (dir / "rocksdb").string();
  rocksdb::DBOptions options =
      DatabaseWideOptions(memory_bytes, store->write_buffers_, std::move(on_warning));
  ASSIGN_OR_RETURN(
      const std::shared_ptr<rocksdb::FileSystem> file_system,
      NoteSyncedFiles(dir, FileSystemForTests() != nullptr ? FileSystemForTests()
                                                           : rocksdb::FileSystem::Default()));
  store->env_ = rocksdb::NewCompositeEnv(file_system);
  options.env = store->env_.get();
  const rocksdb::Status status = rocksdb::DB::Open(options, path, families, &store->handles_, &db);
  store->db_.reset(db);
  RETURN_IF_ERROR(FromRocks(status, "open the database " + path));
  CrashPoint("store.opened");
  ASSIGN_OR_RETURN(const std::set<std::string> with_ranges, CheckTables(db));
  // Iterators would show the keys in deleted ranges (NewIterator), so such tables are written anew.
  for (size_t i = 0; i < kFamilies; ++i) {
    const Family family = static_cast<Family>(i);
    if (!with_ranges.contains(std::string(FamilyName(family)))) continue;
    RETURN_IF_ERROR(store->Compact(family));
  }
  return store;
}

Store::~Store() {
  if (db_ == nullptr) return;
  rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/true);
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  const rocksdb::Status closed = db_->Close();
  db_.reset();
  // Without the list the next start takes this for a crash, which does no harm.
  if (closed.ok()) WriteClosingList(dir_).ok();
}

Result<std::optional<std::string>> Store::Get(Family family, std::string_view key) const {
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), Handle(family), ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(FromRocks(status, "read " + std::string(FamilyName(family))));
  return std::optional<std::string>(std::move(value));
}

std::unique_ptr<StoreIterator> Store::NewIterator(Family family) const {
  rocksdb::ReadOptions options;
  // The part of RocksDB 7.8's iterators that hides deleted ranges loses errors: where a level goes
  // on to its next table and that table's first block is damaged, the rest of the level is left out
  // and the status is OK (MergingIterator::SkipNextDeleted). Without that part every error is kept;
  // and nothing needs it, because the store deletes ranges key by key.
  options.ignore_range_deletions = true;
  return std::make_unique<StoreIterator>(
      std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, Handle(family))));
}

Status Store::DeleteRange(Family family, std::string_view begin, std::string_view end) {
  StoreBatch batch(this);
  std::unique_ptr<StoreIterator> it = NewIterator(family);
  it->Seek(begin);
  bool tables_deleted = false;
  while (it->Valid() && it->key() < end) {
    batch.Delete(family, it->key());
    it->Next();
    if (batch.bytes() < kDeleteBatchBytes) continue;
    RETURN_IF_ERROR(Write(&batch, /*sync=*/!tables_deleted));
    batch.Clear();
    if (tables_deleted) continue;
    // Of a large range, tables that hold nothing else go without being read. They stay gone after a
    // power cut, so what was written before them, with what is known from them only, is durable by
    // now. What they hid of older tables is read next.
    tables_deleted = true;
    const rocksdb::Slice first = ToSlice(begin);
    const rocksdb::Slice last = ToSlice(end);
    RETURN_IF_ERROR(FromRocks(rocksdb::DeleteFilesInRange(db_.get(), Handle(family), &first, &last,
                                                          /*include_end=*/false),
                              "delete tables of " + std::string(FamilyName(family))));
    it = NewIterator(family);
    it->Seek(begin);
  }
  RETURN_IF_ERROR(it->status());
  return batch.empty() ? OkStatus() : Write(&batch, /*sync=*/false);
}

Status Store::Write(StoreBatch* batch, bool sync) {
  RETURN_IF_ERROR(batch->status_);
  rocksdb::WriteOptions options;
  options.sync = sync;
  rocksdb::Status status = db_->Write(options, &batch->batch_);
  const auto refused = [&] {
    return status.IsNoSpace() || status.severity() != rocksdb::Status::Severity::kNoError;
  };
  // After an error of the disk RocksDB refuses writes until it is told to go on, and also while it
  // looks for room itself. The cause may be gone by now; if it is not, this fails as the write did.
  const auto until = std::chrono::steady_clock::now() + kResumeMax;
  while (refused()) {
    if (db_->Resume().ok()) {
      status = db_->Write(options, &batch->batch_);
      if (!refused()) break;
    }
    if (!status.IsNoSpace() || !HasRoom(dir_, room_bytes_) ||
        std::chrono::steady_clock::now() > until)
      break;
    std::this_thread::sleep_for(kResumePause);
  }
  return FromRocks(status, "write to the database");
}

Status Store::CheckRoom(uint64_t bytes) const {
  constexpr uint64_t kReserveShare = 20;
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(dir_, error);
  if (error) return ErrnoStatus(error.value(), "look for room on the disk of " + dir_.string());
  const uint64_t reserve = std::min<uint64_t>(disk_reserve_, space.capacity / kReserveShare);
  if (space.available >= bytes && space.available - bytes >= reserve) return OkStatus();
  return ResourceExhausted(Reason::kDiskFull,
                           "the disk of " + dir_.string() + " has " +
                               std::to_string(space.available) + " bytes free; to write " +
                               std::to_string(bytes) + " bytes " + std::to_string(bytes + reserve) +
                               " must be free, of which " + std::to_string(reserve) +
                               " stay free (setting disk_reserve); free space, then repeat");
}

Status Store::Flush() {
  return FromRocks(db_->Flush(rocksdb::FlushOptions(), handles_), "flush the database");
}

Status Store::Compact(Family family) {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  return FromRocks(db_->CompactRange(options, Handle(family), nullptr, nullptr),
                   "compact " + std::string(FamilyName(family)));
}

uint64_t Store::Property(Family family, const char* name) const {
  uint64_t value = 0;
  return db_->GetIntProperty(Handle(family), name, &value) ? value : 0;
}

uint64_t Store::block_cache_bytes() const { return block_cache_->GetUsage(); }
uint64_t Store::write_buffer_bytes() const { return write_buffers_->memory_usage(); }

}  // namespace ragstone::index

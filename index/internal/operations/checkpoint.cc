#include "index/internal/operations/checkpoint.h"

#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <cstdarg>
#include <utility>

namespace ragstone::index::operations {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTableEnding = ".sst";

// RocksDB would write a log file into the folder that it reads.
class NoLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

struct ReadOnlyDatabase {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  ReadOnlyDatabase() = default;
  ReadOnlyDatabase(ReadOnlyDatabase&&) = default;
  ReadOnlyDatabase& operator=(ReadOnlyDatabase&&) = default;
  ~ReadOnlyDatabase() {
    if (db == nullptr) return;
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
  }
};

Result<ReadOnlyDatabase> OpenForReading(const fs::path& dir) {
  rocksdb::DBOptions options;
  options.info_log = std::make_shared<NoLogger>();
  options.max_open_files = 256;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kFamilies; ++i) {
    families.emplace_back(std::string(FamilyName(static_cast<Family>(i))),
                          rocksdb::ColumnFamilyOptions());
  }
  ReadOnlyDatabase opened;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(options, dir.string(), families, &opened.handles, &db);
  opened.db.reset(db);
  RETURN_IF_ERROR(FromRocks(status, "open " + dir.string()));
  return opened;
}

std::string OriginOf(const rocksdb::TableProperties& table, const fs::path& file) {
  if (table.db_session_id.empty() || table.orig_file_number == 0) return "";
  std::error_code error;
  const uint64_t bytes = fs::file_size(file, error);
  if (error) return "";
  return table.db_session_id + "/" + std::to_string(table.orig_file_number) + "/" +
         std::to_string(bytes);
}

}  // namespace

bool IsTable(const fs::path& file) { return file.extension() == kTableEnding; }

Status RemoveCheckpoint(const fs::path& db_dir) {
  std::error_code error;
  fs::remove_all(db_dir / kCheckpointFolder, error);
  if (error) return ErrnoStatus(error.value(), "remove " + (db_dir / kCheckpointFolder).string());
  return OkStatus();
}

Result<Checkpoint> Checkpoint::Make(const Store& store) {
  RETURN_IF_ERROR(RemoveCheckpoint(store.dir()));
  // After the disk was full: this takes up what a write would.
  store.rocks()->Resume().PermitUncheckedError();
  rocksdb::Checkpoint* maker = nullptr;
  RETURN_IF_ERROR(
      FromRocks(rocksdb::Checkpoint::Create(store.rocks(), &maker), "make a checkpoint"));
  const std::unique_ptr<rocksdb::Checkpoint> owner(maker);
  Checkpoint checkpoint(store.dir() / kCheckpointFolder);
  RETURN_IF_ERROR(
      FromRocks(maker->CreateCheckpoint(checkpoint.path_.string()), "make a checkpoint"));
  std::error_code error;
  fs::directory_iterator it(checkpoint.path_, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    checkpoint.files_.push_back(it->path());
  }
  if (error) return ErrnoStatus(error.value(), "list " + checkpoint.path_.string());
  std::sort(checkpoint.files_.begin(), checkpoint.files_.end());
  return checkpoint;
}

Checkpoint::Checkpoint(Checkpoint&& other) noexcept
    : path_(std::exchange(other.path_, fs::path())), files_(std::move(other.files_)) {}

Checkpoint::~Checkpoint() {
  if (path_.empty()) return;
  // One that cannot be removed now is removed by the next backup or purge.
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Result<Checkpoint::Contents> Checkpoint::Read() const {
  ASSIGN_OR_RETURN(const ReadOnlyDatabase opened, OpenForReading(path_));
  Contents contents;
  for (rocksdb::ColumnFamilyHandle* handle : opened.handles) {
    rocksdb::TablePropertiesCollection tables;
    RETURN_IF_ERROR(FromRocks(opened.db->GetPropertiesOfAllTables(handle, &tables),
                              "read the tables of " + path_.string()));
    for (const auto& [file, table] : tables) {
      const fs::path name = fs::path(file).filename();
      contents.origins[name.string()] = OriginOf(*table, path_ / name);
    }
  }
  rocksdb::ColumnFamilyHandle* const tables = opened.handles[static_cast<size_t>(Family::kTable)];
  const std::unique_ptr<rocksdb::Iterator> it(
      opened.db->NewIterator(rocksdb::ReadOptions(), tables));
  const std::string prefix(1, static_cast<char>(Table::kBlobs));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    Sha256Digest hash;
    if (it->key().size() < 1 + hash.bytes.size()) continue;  // found by `ragstone verify`
    std::copy_n(it->key().data() + 1, hash.bytes.size(), hash.bytes.begin());
    contents.blobs.insert(hash);
  }
  RETURN_IF_ERROR(FromRocks(it->status(), "read " + path_.string()));
  return contents;
}

Status CheckTable(const fs::path& table) {
  rocksdb::Options options;
  options.info_log = std::make_shared<NoLogger>();
  rocksdb::SstFileReader reader(options);
  const std::string what = "check the table " + table.string();
  RETURN_IF_ERROR(FromRocks(reader.Open(table.string()), what));
  return FromRocks(reader.VerifyChecksum(), what);
}

}  // namespace ragstone::index::operations

// Removing the bytes of what was deleted.
#include "index/internal/operations/purge.h"

#include <rocksdb/db.h>

#include <set>
#include <thread>

#include "index/blob_store.h"
#include "index/internal/database_impl.h"
#include "index/internal/keyword.h"
#include "index/internal/operations/backup_folder.h"
#include "index/internal/operations/checkpoint.h"
#include "index/internal/operations/layout.h"
#include "index/internal/records_db/record_database_impl.h"

namespace ragstone::index {

using namespace operations;  // NOLINT: its parts are what this file is made of

namespace {

namespace fs = std::filesystem;

constexpr auto kPause = std::chrono::milliseconds(10);

uint64_t BytesBelow(const fs::path& dir) {
  uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(dir, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    std::error_code gone;  // files come and go
    const uint64_t size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

// Tables and logs that there are now.
std::set<std::string> DataFiles(const fs::path& dir) {
  std::set<std::string> names;
  std::error_code error;
  fs::directory_iterator it(dir, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string ending = it->path().extension().string();
    if (ending == ".sst" || ending == ".log") names.insert(it->path().filename().string());
  }
  return names;
}

Status PurgeDocuments(DatabaseImpl* database, const CallContext& context) {
  Core& core = database->core();
  RETURN_IF_ERROR(WaitUntil(context, [&]() -> Result<bool> {
    ASSIGN_OR_RETURN(const size_t waiting, database->cleaner().CleanOnce());
    return waiting == 0;
  }));
  for (const std::shared_ptr<Collection>& collection : core.All()) {
    RETURN_IF_ERROR(context.Check());
    if (collection->dropped()) continue;
    RETURN_IF_ERROR(database->maintainer().ForgetVectors(collection.get()));
    RETURN_IF_ERROR(collection->EnsureVersions(core.store()));
    RETURN_IF_ERROR(collection->keywords().Compact(ChunkKeeper(collection.get())));
  }
  return OkStatus();
}

// Writes all families anew, and waits until the files that were there before are gone: readers
// keep them for as long as they read.
Status RewriteTables(Store* store, const CallContext& context, Steps* steps) {
  const fs::path dir = store->dir() / kRocksFolder;
  const std::set<std::string> before = DataFiles(dir);
  // After the disk was full: this takes up what a write would.
  store->rocks()->Resume().PermitUncheckedError();
  RETURN_IF_ERROR(store->Flush());
  // It may be among them if it was empty.
  std::unique_ptr<rocksdb::LogFile> log;
  RETURN_IF_ERROR(FromRocks(store->rocks()->GetCurrentWalFile(&log), "look for the log"));
  const std::string log_name = fs::path(log->PathName()).filename().string();
  for (size_t i = 0; i < kFamilies; ++i) {
    const Family family = static_cast<Family>(i);
    RETURN_IF_ERROR(steps->Begin("writing " + std::string(FamilyName(family)) + " anew"));
    RETURN_IF_ERROR(store->Compact(family));
  }
  RETURN_IF_ERROR(steps->Begin("removing old files"));
  return WaitUntil(context, [&]() -> Result<bool> {
    // Also removes files that nobody reads any more.
    RETURN_IF_ERROR(
        FromRocks(store->rocks()->EnableFileDeletions(/*force=*/true), "remove old files"));
    std::vector<std::string> live;
    uint64_t manifest_bytes = 0;
    RETURN_IF_ERROR(
        FromRocks(store->rocks()->GetLiveFiles(live, &manifest_bytes, /*flush_memtable=*/false),
                  "list files"));
    std::set<std::string> old = before;
    for (const std::string& name : live) old.erase(fs::path(name).filename().string());
    const std::set<std::string> now = DataFiles(dir);
    std::erase_if(old, [&](const std::string& name) { return now.count(name) == 0; });
    old.erase(log_name);
    return old.empty();
  });
}

}  // namespace

namespace operations {

Status WaitUntil(const CallContext& context, const std::function<Result<bool>()>& ready) {
  for (;;) {
    RETURN_IF_ERROR(context.Check());
    ASSIGN_OR_RETURN(const bool is_ready, ready());
    if (is_ready) return OkStatus();
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace operations

Result<PurgeOutcome> PurgeDeleted(const OpenData& data, const Operation& operation) {
  auto* const database = static_cast<DatabaseImpl*>(data.database);
  auto* const records = static_cast<records::RecordDatabaseImpl*>(data.records);
  Store* const store = &database->core().store();
  Steps steps(&operation);
  PurgeOutcome outcome;
  outcome.bytes_before = BytesBelow(data.dir);
  RETURN_IF_ERROR(steps.Begin("removing what was deleted"));
  RETURN_IF_ERROR(RemoveCheckpoint(store->dir()));
  RETURN_IF_ERROR(PurgeDocuments(database, operation.context));
  if (records != nullptr) {
    RETURN_IF_ERROR(records->Purge(operation.context, &outcome.records));
  }
  ASSIGN_OR_RETURN(outcome.blobs, data.blobs->RemoveUnreferenced());
  RETURN_IF_ERROR(RewriteTables(store, operation.context, &steps));
  outcome.bytes_after = BytesBelow(data.dir);
  return outcome;
}

Status CheckRoom(const Database& database, uint64_t bytes) {
  // The one implementation there is.
  auto& impl = const_cast<DatabaseImpl&>(static_cast<const DatabaseImpl&>(database));
  return impl.core().store().CheckRoom(bytes);
}

}  // namespace ragstone::index

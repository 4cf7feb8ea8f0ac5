#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/clock.h"
#include "base/status.h"

// The care of a data directory: backups, checking, and the removal of bytes. A data directory has
// the database in `db/` and original files in `blobs/`; what else lies in it is its server's.
namespace ragstone::index {

class BlobStore;
class Database;
class RecordDatabase;

// How an operation may be followed and ended. Both may be empty.
struct Operation {
  CallContext context;
  // Is told what is being done and how much of it, in bytes where those are known; an error ends
  // the operation.
  std::function<Status(std::string_view step, uint64_t done, uint64_t total)> progress;
};

// A data directory that is open; the records and the blobs are those of the database.
struct OpenData {
  std::filesystem::path dir;
  Database* database = nullptr;
  RecordDatabase* records = nullptr;  // may be null
  BlobStore* blobs = nullptr;
  const Clock* clock = nullptr;
};

// --- backups

struct BackupInfo {
  uint64_t id = 0;
  std::string name;
  int64_t created_ns = 0;
  uint64_t files = 0;
  uint64_t bytes = 0;
  bool damaged = false;  // its list of files cannot be read: nothing else is known of it
};

struct BackupTarget {
  std::filesystem::path directory;  // absolute; created if missing
  std::string name;                 // at most 64 of A-Z a-z 0-9 . _ -
  size_t keep = 0;                  // older backups beyond so many are removed; 0: none
};

struct BackupOutcome {
  BackupInfo backup;
  uint64_t new_bytes = 0;  // that no earlier backup had
  size_t removed = 0;      // older backups
  std::vector<std::string> warnings;
};

// Adds a backup of what is stored now to a directory of backups, while the data is in use. Files
// that an earlier backup has are not copied again; what is copied is read again and compared. If it
// fails or is cut off, earlier backups are as they were and the next one cleans up.
// INVALID_ARGUMENT for a directory that holds something else or lies in the data directory,
// RESOURCE_EXHAUSTED (DISK_FULL) before anything is copied, DATA_LOSS (DATA_CORRUPT) if a table of
// the database is damaged; a damaged original is left out with a warning.
Result<BackupOutcome> CreateBackup(const OpenData& data, const BackupTarget& target,
                                   const Operation& operation);

// The backups of a directory, oldest first. INVALID_ARGUMENT if it holds none and something else.
Result<std::vector<BackupInfo>> ListBackups(const std::filesystem::path& directory);

struct BackupProblem {
  uint64_t backup = 0;
  std::string what;  // which file, what is wrong, what to do
};

// Reads every byte of a backup, or of all with id 0, and compares it with what was written.
Result<std::vector<BackupProblem>> VerifyBackups(const std::filesystem::path& directory,
                                                 uint64_t id, const Operation& operation);

struct RestoreSource {
  std::filesystem::path directory;
  uint64_t backup = 0;  // 0: the newest
};

// Writes a backup into a data directory that is empty but for a lock file, or holds a restore that
// was cut off. Everything is compared with the backup before it gets its place; until then the
// directory is marked, and CheckRestored refuses it. An error leaves it empty. The caller holds the
// data directory's lock. FAILED_PRECONDITION if the directory holds something, DATA_LOSS
// (DATA_CORRUPT) naming the damaged file of the backup, NOT_FOUND, RESOURCE_EXHAUSTED (DISK_FULL).
Result<BackupInfo> RestoreBackup(const RestoreSource& source, const std::filesystem::path& data_dir,
                                 const Operation& operation);

// FAILED_PRECONDITION (DATA_CORRUPT) if a restore into the directory was cut off.
Status CheckRestored(const std::filesystem::path& data_dir);

// --- removing bytes

struct PurgeOutcome {
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
  uint64_t records = 0;  // superseded and deleted ones
  uint64_t blobs = 0;
};

// Removes the bytes of what was deleted or replaced from all files of the data directory. Waits
// for readers that still see it. Records lose their history: reads as of versions before are
// refused from then on. May be repeated after any error.
Result<PurgeOutcome> PurgeDeleted(const OpenData& data, const Operation& operation);

// Whether so many bytes may be added: RESOURCE_EXHAUSTED (DISK_FULL) if not, as for every write.
Status CheckRoom(const Database& database, uint64_t bytes);

// --- checking

// Something in a data directory that contradicts the rest.
struct Finding {
  std::string check;        // "tables", "documents", "keywords", …: stable, for programs
  std::string collection;   // its name, or "#12" if it has none any more; empty: of none
  std::string id;           // of the document, chunk, record, blob; may be empty
  std::string what;         // what is wrong
  std::string consequence;  // what does not work because of it
  bool repairable = false;  // made anew from what is stored beside it, without loss
  bool repaired = false;
};

struct CheckOptions {
  std::filesystem::path dir;  // the data directory
  uint64_t memory_bytes = 256ull << 20;
  bool repair = false;
  size_t findings_max = 1000;  // kept of each check; all are counted
};

struct CheckReport {
  std::vector<Finding> findings;
  uint64_t count = 0;     // of findings, also those not kept
  uint64_t repaired = 0;  // of these
  uint64_t collections = 0, documents = 0, chunks = 0, records = 0, blobs = 0, bytes = 0;
  bool clean() const { return count == repaired; }
};

// Reads all of a data directory that no process uses and compares its parts with each other. With
// `repair` makes anew what is derived: keywords, counts, lists of sources, embeddings; removes what
// belongs to nothing. What was given by users is never changed. The caller holds the data
// directory's lock. An error only if nothing could be checked, such as a directory without a
// database (NOT_FOUND) or of another format (DATA_DIR_VERSION).
Result<CheckReport> CheckData(const CheckOptions& options, const Operation& operation);

}  // namespace ragstone::index

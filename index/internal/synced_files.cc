#include "index/internal/synced_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/mutex.h"
#include "index/internal/coding.h"

namespace ragstone::index {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr std::string_view kHead = "ragstone synced files 1\n";
constexpr const char* kRocksFolder = "rocksdb";
// The note is written into one copy after the other, so that a power cut while one is written
// leaves the other.
constexpr uint64_t kCopyBytes = 4096;
constexpr uint64_t kCopies = 2;
// Of so many files; the oldest are forgotten.
constexpr size_t kFilesMax = 64;
constexpr size_t kNameBytesMax = 32;

struct Synced {
  uint64_t bytes = 0;
  uint64_t hash = 0;  // of these bytes
};
struct SyncedNote {
  uint64_t number = 0;  // of notes, ascending
  std::map<std::string, Synced, std::less<>> files;
};

// Logs and lists of tables: RocksDB only ever appends to them.
bool IsNoted(std::string_view name) {
  return name.size() <= kNameBytesMax && (name.ends_with(".log") || name.starts_with("MANIFEST-"));
}

std::string Encode(const SyncedNote& note) {
  std::string bytes(kHead);
  Encoder out(&bytes);
  out.U64(note.number);
  out.Varint(note.files.size());
  for (const auto& [name, synced] : note.files) {
    out.String(name);
    out.U64(synced.bytes);
    out.U64(synced.hash);
  }
  bytes.resize(kCopyBytes - sizeof(uint64_t));
  const uint64_t hash = FastHash(bytes);
  Encoder(&bytes).U64(hash);
  return bytes;
}

// Number 0: it is not whole, or was never written.
SyncedNote Decode(std::string_view bytes) {
  SyncedNote note;
  if (bytes.size() != kCopyBytes || !bytes.starts_with(kHead)) return note;
  const std::string_view content = bytes.substr(0, kCopyBytes - sizeof(uint64_t));
  if (Decoder(bytes.substr(content.size())).U64() != FastHash(content)) return note;
  Decoder in(content.substr(kHead.size()));
  const uint64_t number = in.U64();
  const size_t files = in.Count(1 + 2 * sizeof(uint64_t));
  for (size_t i = 0; i < files; ++i) {
    const std::string name(in.String());
    Synced synced;
    synced.bytes = in.U64();
    synced.hash = in.U64();
    if (IsNoted(name)) note.files[name] = synced;
  }
  if (in.ok()) note.number = number;
  return note;
}

Result<SyncedNote> ReadNote(const std::filesystem::path& dir) {
  SyncedNote newest;
  const std::filesystem::path path = dir / kSyncedFilesNote;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return newest;
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  for (uint64_t copy = 0; copy < kCopies; ++copy) {
    const uint64_t begin = copy * kCopyBytes;
    if (file.bytes().size() < begin + kCopyBytes) break;
    SyncedNote note = Decode(file.bytes().substr(begin, kCopyBytes));
    if (note.number > newest.number) newest = std::move(note);
  }
  return newest;
}

Status Damaged(const std::filesystem::path& dir, const std::filesystem::path& file,
               const std::string& how) {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                file.string() + " " + how +
                    "; restore the data directory from a backup, or remove " +
                    (dir / kSyncedFilesNote).string() +
                    " to start without the writes from the damaged place on");
}

// Keeps the note. Thread-safe.
class Notebook {
 public:
  Notebook(FileDescriptor file, SyncedNote note) : file_(std::move(file)), note_(std::move(note)) {}

  void Note(const std::string& name, const Synced& synced) {
    MutexLock lock(&mutex_);
    note_.files[name] = synced;
    // The names of logs begin with their numbers, the oldest first, and before lists of tables.
    if (note_.files.size() > kFilesMax) note_.files.erase(note_.files.begin());
    Write();
  }
  // It is written with the next: what is noted of a file that is gone is not looked at.
  void Removed(const std::string& name) {
    MutexLock lock(&mutex_);
    note_.files.erase(name);
  }

 private:
  // A part of a page of the kernel's memory, not of the disk: it may be done under the lock, which
  // keeps notes in order. If it fails, the note before stays true.
  void Write() REQUIRES(mutex_) {
    ++note_.number;
    const std::string bytes = Encode(note_);
    const auto place = static_cast<off_t>(note_.number % kCopies * kCopyBytes);
    [[maybe_unused]] const ssize_t written = pwrite(file_.get(), bytes.data(), bytes.size(), place);
  }

  Mutex mutex_;
  const FileDescriptor file_;
  SyncedNote note_ GUARDED_BY(mutex_);
};

// A new file that is appended to.
class NotedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  NotedFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name,
            std::shared_ptr<Notebook> notebook)
      : FSWritableFileOwnerWrapper(std::move(file)),
        name_(std::move(name)),
        notebook_(std::move(notebook)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* context) override {
    return Appended(data, FSWritableFileOwnerWrapper::Append(data, options, context));
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* context) override {
    return Appended(data, FSWritableFileOwnerWrapper::Append(data, options, verification, context));
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* context) override {
    Lose();
    return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, context);
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& verification,
                            IODebugContext* context) override {
    Lose();
    return FSWritableFileOwnerWrapper::PositionedAppend(data, offset, options, verification,
                                                        context);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    const auto before = State();
    return Noted(before, FSWritableFileOwnerWrapper::Sync(options, context));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    const auto before = State();
    return Noted(before, FSWritableFileOwnerWrapper::Fsync(options, context));
  }

 private:
  IOStatus Appended(const Slice& data, IOStatus status) {
    MutexLock lock(&mutex_);
    bytes_ += data.size();
    hasher_.Update({data.data(), data.size()});
    // What of it is in the file is not known, so nothing more is noted of this file.
    if (!status.ok()) lost_ = true;
    return status;
  }
  void Lose() {
    MutexLock lock(&mutex_);
    lost_ = true;
  }
  std::pair<bool, Synced> State() const {
    MutexLock lock(&mutex_);
    return {!lost_, {bytes_, hasher_.Hash()}};
  }
  // What was there before an fsync is durable after it.
  IOStatus Noted(const std::pair<bool, Synced>& before, IOStatus status) {
    if (!status.ok()) {
      Lose();
    } else if (before.first) {
      notebook_->Note(name_, before.second);
    }
    return status;
  }

  const std::string name_;
  const std::shared_ptr<Notebook> notebook_;
  mutable Mutex mutex_;
  uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  FastHasher hasher_ GUARDED_BY(mutex_);
  bool lost_ GUARDED_BY(mutex_) = false;
};

class NotingFileSystem : public rocksdb::FileSystemWrapper {
 public:
  NotingFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::filesystem::path folder,
                   std::shared_ptr<Notebook> notebook)
      : FileSystemWrapper(base), folder_(std::move(folder)), notebook_(std::move(notebook)) {}
  const char* Name() const override { return "NotingFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* context) override {
    IOStatus status = target()->NewWritableFile(path, options, result, context);
    const std::string name = NameOf(path);
    if (status.ok() && !name.empty()) {
      *result = std::make_unique<NotedFile>(std::move(*result), name, notebook_);
    }
    return status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* context) override {
    IOStatus status = target()->DeleteFile(path, options, context);
    const std::string name = NameOf(path);
    if (status.ok() && !name.empty()) notebook_->Removed(name);
    return status;
  }

 private:
  // Empty unless it is one that is noted. Backups are written through this file system as well.
  std::string NameOf(const std::string& path) const {
    const std::filesystem::path plain = std::filesystem::path(path).lexically_normal();
    if (plain.parent_path() != folder_) return "";
    std::string name = plain.filename().string();
    return IsNoted(name) ? name : "";
  }

  const std::filesystem::path folder_;
  const std::shared_ptr<Notebook> notebook_;
};

}  // namespace

Status CheckSyncedFiles(const std::filesystem::path& dir) {
  ASSIGN_OR_RETURN(const SyncedNote note, ReadNote(dir));
  for (const auto& [name, synced] : note.files) {
    const std::filesystem::path path = dir / kRocksFolder / name;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
    if (file.bytes().size() < synced.bytes) {
      return Damaged(dir, path,
                     "has " + std::to_string(file.bytes().size()) + " bytes, of " +
                         std::to_string(synced.bytes) + " that were written durably");
    }
    if (FastHash(file.bytes().substr(0, synced.bytes)) != synced.hash) {
      return Damaged(dir, path,
                     "has changed within its first " + std::to_string(synced.bytes) +
                         " bytes, which were written durably");
    }
  }
  return OkStatus();
}

Result<std::shared_ptr<rocksdb::FileSystem>> NoteSyncedFiles(
    const std::filesystem::path& dir, const std::shared_ptr<rocksdb::FileSystem>& base) {
  ASSIGN_OR_RETURN(SyncedNote note, ReadNote(dir));
  std::erase_if(note.files, [&](const auto& file) {
    std::error_code error;
    return !std::filesystem::exists(dir / kRocksFolder / file.first, error);
  });
  const std::filesystem::path path = dir / kSyncedFilesNote;
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDWR | O_CREAT, 0600));
  // So that it can be written when the disk is full.
  [[maybe_unused]] const int room = posix_fallocate(file.get(), 0, kCopies * kCopyBytes);
  const std::filesystem::path folder = (dir / kRocksFolder).lexically_normal();
  auto notebook = std::make_shared<Notebook>(std::move(file), std::move(note));
  return std::shared_ptr<rocksdb::FileSystem>(
      std::make_shared<NotingFileSystem>(base, folder, std::move(notebook)));
}

}  // namespace ragstone::index

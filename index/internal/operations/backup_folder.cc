#include "index/internal/operations/backup_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

namespace ragstone::index::operations {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormatFile = "ragstone-backup.format";
constexpr std::string_view kFormatLine = "ragstone backup directory 1\n";
constexpr std::string_view kObjects = "objects";
constexpr std::string_view kBackups = "backups";
constexpr std::string_view kTemporary = "tmp-copy";
constexpr std::string_view kLock = "lock";
constexpr size_t kPieceBytes = 1 << 20;
constexpr uint64_t kTellEvery = 16 << 20;
constexpr uint64_t kManifestBytesMax = 4ull << 30;
constexpr int kIdDigits = 10;

using Visit = std::function<Status(std::string_view)>;

Status ReadPieces(int fd, const fs::path& path, const Visit& visit) {
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read " + path.string());
    if (got == 0) return OkStatus();
    RETURN_IF_ERROR(visit({piece.data(), static_cast<size_t>(got)}));
  }
}

std::optional<uint64_t> IdOfName(const std::string& name) {
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size() || id == 0) return std::nullopt;
  return id;
}

Result<std::vector<fs::path>> ListFolder(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) paths.push_back(it->path());
  if (error) return ErrnoStatus(error.value(), "list " + folder.string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

Status Remove(const fs::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return OkStatus();
  return ErrnoStatus(errno, "remove " + path.string());
}

Status NoBackups(const fs::path& dir) {
  return InvalidArgument(Reason::kInvalidArgument,
                         dir.string() + " is not empty and is no directory of backups (it has no " +
                             std::string(kFormatFile) + "); name another directory");
}

}  // namespace

Status Steps::Begin(std::string_view step, uint64_t total) {
  step_ = step;
  done_ = told_ = 0;
  total_ = total;
  RETURN_IF_ERROR(operation_->context.Check());
  return operation_->progress ? operation_->progress(step_, 0, total_) : OkStatus();
}

Status Steps::Advance(uint64_t bytes) {
  done_ += bytes;
  if (done_ - told_ < kTellEvery) return OkStatus();
  told_ = done_;
  RETURN_IF_ERROR(operation_->context.Check());
  return operation_->progress ? operation_->progress(step_, done_, total_) : OkStatus();
}

Result<Sha256Digest> HashOnDisk(const fs::path& path, Steps* steps) {
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_RDONLY));
  // Only a hint: without it the memory's copy of the file is read.
  (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  Sha256 hash;
  RETURN_IF_ERROR(ReadPieces(file.get(), path, [&](std::string_view piece) {
    hash.Update(piece);
    return steps->Advance(piece.size());
  }));
  return hash.Finish();
}

Result<BackupFile> CopyVerified(const fs::path& from, const fs::path& to, Steps* steps) {
  ASSIGN_OR_RETURN(const FileDescriptor source, OpenFile(from, O_RDONLY));
  ASSIGN_OR_RETURN(FileDescriptor copy, OpenFile(to, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  BackupFile file;
  Sha256 hash;
  RETURN_IF_ERROR(ReadPieces(source.get(), from, [&](std::string_view piece) -> Status {
    hash.Update(piece);
    file.bytes += piece.size();
    RETURN_IF_ERROR(steps->Advance(piece.size()));
    return WriteAll(copy.get(), piece, to.native());
  }));
  if (::fsync(copy.get()) != 0) return ErrnoStatus(errno, "fsync " + to.string());
  copy.Reset();
  file.hash = hash.Finish();
  Operation silent;
  Steps reading(&silent);
  ASSIGN_OR_RETURN(const Sha256Digest written, HashOnDisk(to, &reading));
  if (written == file.hash) return file;
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the copy " + to.string() + " of " + from.string() +
                    " reads differently from what was written; check that disk");
}

Status CheckDiskFor(uint64_t bytes, const fs::path& dir) {
  std::error_code error;
  const fs::space_info space = fs::space(dir, error);
  if (error) return ErrnoStatus(error.value(), "look for room on the disk of " + dir.string());
  if (space.available >= bytes) return OkStatus();
  return ResourceExhausted(Reason::kDiskFull, "the disk of " + dir.string() + " has " +
                                                  std::to_string(space.available) +
                                                  " bytes free, " + std::to_string(bytes) +
                                                  " are needed; free space, then repeat");
}

Result<BackupFolder> BackupFolder::Open(const fs::path& dir, Access access) {
  BackupFolder folder(dir);
  std::error_code error;
  const bool is_made = fs::exists(dir / kFormatFile, error);
  if (!is_made && access == Access::kRead) {
    return NotFound(Reason::kFileNotFound, "there are no backups in " + dir.string() +
                                               " (it has no " + std::string(kFormatFile) + ")");
  }
  if (!is_made) RETURN_IF_ERROR(folder.Make());
  ASSIGN_OR_RETURN(const std::string format, ReadFile(dir / kFormatFile, 4096));
  if (format != kFormatLine) {
    return FailedPrecondition(Reason::kDataDirVersion,
                              (dir / kFormatFile).string() +
                                  " says another format than this program's; use the program that "
                                  "made the backups");
  }
  if (access == Access::kWrite) {
    ASSIGN_OR_RETURN(folder.lock_, OpenFile(dir / kLock, O_RDWR | O_CREAT, 0600));
    if (::flock(folder.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      return Unavailable(Reason::kDataDirLocked,
                         "another backup into " + dir.string() + " runs; repeat when it has ended");
    }
    RETURN_IF_ERROR(Remove(dir / kTemporary));
  }
  RETURN_IF_ERROR(folder.Load());
  return folder;
}

// Makes an empty directory one of backups. The format file comes last but one, so that whoever sees
// it sees the folders.
Status BackupFolder::Make() {
  RETURN_IF_ERROR(CreateDirectories(dir_));
  ASSIGN_OR_RETURN(const std::vector<fs::path> present, ListFolder(dir_));
  for (const fs::path& path : present) {
    // What a start that was cut off may have left, and what a disk of its own has.
    const std::string name = path.filename().string();
    if (name != kObjects && name != kBackups && name != "lost+found") return NoBackups(dir_);
  }
  RETURN_IF_ERROR(CreateDirectories(dir_ / kObjects));
  RETURN_IF_ERROR(CreateDirectories(dir_ / kBackups));
  RETURN_IF_ERROR(WriteFileAtomically(dir_ / kFormatFile, kFormatLine, 0600));
  return SyncDirectory(dir_);
}

Status BackupFolder::Load() {
  ASSIGN_OR_RETURN(const std::vector<fs::path> paths, ListFolder(dir_ / kBackups));
  for (const fs::path& path : paths) {
    const std::optional<uint64_t> id = IdOfName(path.filename().string());
    if (!id) continue;
    Result<BackupManifest> manifest = Status(StatusCode::kInternal, Reason::kInternal, "");
    const Result<std::string> text = ReadFile(path, kManifestBytesMax);
    manifest = text.ok() ? DecodeManifest(*text) : Result<BackupManifest>(text.status());
    if (manifest.ok() && manifest->id != *id) {
      manifest = Status(StatusCode::kDataLoss, Reason::kDataCorrupt, "it is that of another id");
    }
    if (manifest.ok()) {
      for (const BackupFile& file : manifest->files) {
        if (!file.origin.empty()) origins_[file.origin] = file;
      }
    }
    backups_.push_back({*id, std::move(manifest)});
  }
  std::sort(backups_.begin(), backups_.end(),
            [](const Entry& a, const Entry& b) { return a.id < b.id; });
  return OkStatus();
}

fs::path BackupFolder::ManifestPath(uint64_t id) const {
  std::array<char, 32> name;
  std::snprintf(name.data(), name.size(), "%0*llu", kIdDigits, static_cast<unsigned long long>(id));
  return dir_ / kBackups / name.data();
}

Result<BackupManifest> BackupFolder::Find(uint64_t id) const {
  const Entry* found = nullptr;
  const Entry* readable = nullptr;
  for (const Entry& entry : backups_) {
    if (id == 0 || entry.id == id) found = &entry;
    if (entry.manifest.ok()) readable = &entry;
  }
  if (found == nullptr) {
    return NotFound(Reason::kFileNotFound,
                    "there is no backup" + (id == 0 ? "" : " " + std::to_string(id)) + " in " +
                        dir_.string() + "; `ragstone backup list` shows those there are");
  }
  if (found->manifest.ok()) return found->manifest;
  const std::string other =
      readable == nullptr ? "" : "; the newest that can be read is " + std::to_string(readable->id);
  return Status(found->manifest.status().code(), found->manifest.status().reason(),
                "backup " + std::to_string(found->id) + " in " + dir_.string() + ": " +
                    found->manifest.status().message() + other);
}

fs::path BackupFolder::ObjectPath(const Sha256Digest& hash) const {
  const std::string hex = hash.Hex();
  return dir_ / kObjects / hex.substr(0, 2) / hex;
}

bool BackupFolder::HasObject(const Sha256Digest& hash, uint64_t bytes) const {
  struct stat info;
  return ::stat(ObjectPath(hash).c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<uint64_t>(info.st_size) == bytes;
}

std::optional<BackupFile> BackupFolder::FindOrigin(const std::string& origin) const {
  const auto found = origins_.find(origin);
  if (found == origins_.end() || !HasObject(found->second.hash, found->second.bytes)) {
    return std::nullopt;
  }
  return found->second;
}

Result<BackupFile> BackupFolder::Add(const fs::path& file, Steps* steps, uint64_t* added) {
  const fs::path temporary = dir_ / kTemporary;
  ASSIGN_OR_RETURN(BackupFile copy, CopyVerified(file, temporary, steps));
  // One that is there already is replaced: it may have been damaged since.
  if (!HasObject(copy.hash, copy.bytes)) *added += copy.bytes;
  const fs::path path = ObjectPath(copy.hash);
  RETURN_IF_ERROR(CreateDirectories(path.parent_path()));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, "rename " + temporary.string() + " to " + path.string());
  }
  RETURN_IF_ERROR(SyncDirectory(path.parent_path()));
  return copy;
}

Status BackupFolder::Commit(BackupManifest* manifest) {
  manifest->id = backups_.empty() ? 1 : backups_.back().id + 1;
  RETURN_IF_ERROR(SyncDirectory(dir_ / kObjects));
  RETURN_IF_ERROR(WriteFileAtomically(ManifestPath(manifest->id), EncodeManifest(*manifest), 0600));
  backups_.push_back({manifest->id, *manifest});
  return OkStatus();
}

Result<size_t> BackupFolder::Keep(size_t count) {
  if (count == 0) return size_t{0};
  size_t readable = 0;
  size_t first = backups_.size();  // of those that stay
  while (first > 0 && readable < count) readable += backups_[--first].manifest.ok() ? 1 : 0;
  if (readable < count) return size_t{0};
  for (size_t i = 0; i < first; ++i) RETURN_IF_ERROR(Remove(ManifestPath(backups_[i].id)));
  if (first > 0) RETURN_IF_ERROR(SyncDirectory(dir_ / kBackups));
  backups_.erase(backups_.begin(), backups_.begin() + static_cast<ptrdiff_t>(first));
  return first;
}

Status BackupFolder::RemoveUnused() {
  std::set<Sha256Digest> used;
  for (const Entry& entry : backups_) {
    if (!entry.manifest.ok()) return OkStatus();
    for (const BackupFile& file : entry.manifest->files) used.insert(file.hash);
  }
  ASSIGN_OR_RETURN(const std::vector<fs::path> folders, ListFolder(dir_ / kObjects));
  for (const fs::path& folder : folders) {
    ASSIGN_OR_RETURN(const std::vector<fs::path> objects, ListFolder(folder));
    for (const fs::path& object : objects) {
      const Result<Sha256Digest> hash = Sha256Digest::FromHex(object.filename().string());
      if (hash.ok() && used.count(*hash) == 0) RETURN_IF_ERROR(Remove(object));
    }
  }
  return OkStatus();
}

}  // namespace ragstone::index::operations

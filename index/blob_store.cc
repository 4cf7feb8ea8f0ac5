#include "index/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include "base/file.h"
#include "base/mutex.h"

namespace ragstone::index {
namespace {

constexpr std::string_view kTemporaryPrefix = "tmp-";

// One key for each reference: `digest | holder`. So adding twice is adding once, and no count has
// to be read before a batch is written.
std::string ReferenceKey(const Sha256Digest& blob, std::string_view holder) {
  std::string key(blob.View());
  key += holder;
  return key;
}

Result<bool> IsReferenced(const Database& database, const Sha256Digest& blob) {
  bool referenced = false;
  const std::string prefix(blob.View());
  RETURN_IF_ERROR(database.Scan(Table::kBlobs, prefix, "", /*descending=*/false,
                                [&](std::string_view key, std::string_view) {
                                  referenced = key.substr(0, prefix.size()) == prefix;
                                  return false;
                                }));
  return referenced;
}

class FileBlobStore;

class FileBlobWriter : public BlobWriter {
 public:
  FileBlobWriter(FileBlobStore* store, std::filesystem::path path, FileDescriptor file)
      : store_(store), path_(std::move(path)), file_(std::move(file)) {}
  ~FileBlobWriter() override;
  Status Append(std::string_view bytes) override;
  Result<Sha256Digest> Finish() override;
  uint64_t size() const override { return size_; }

 private:
  FileBlobStore* const store_;
  const std::filesystem::path path_;
  FileDescriptor file_;
  Sha256 hash_;
  uint64_t size_ = 0;
  bool renamed_ = false;
  std::optional<Sha256Digest> pinned_;
};

// Blobs lie in 256 folders by the first byte of their hash.
class FileBlobStore : public BlobStore {
 public:
  FileBlobStore(std::filesystem::path dir, Database* database, uint64_t bytes_max)
      : dir_(std::move(dir)), database_(database), bytes_max_(bytes_max) {}

  Status Sweep();
  Result<std::unique_ptr<BlobWriter>> Create() override;
  void AddReference(const Sha256Digest& blob, std::string_view holder, Batch* batch) override {
    batch->Put(Table::kBlobs, ReferenceKey(blob, holder), "");
  }
  void DropReference(const Sha256Digest& blob, std::string_view holder, Batch* batch) override {
    batch->Delete(Table::kBlobs, ReferenceKey(blob, holder));
  }
  Status RemoveIfUnreferenced(const Sha256Digest& blob) override;
  std::unique_ptr<Hold> HoldRemovals() override;
  Result<uint64_t> RemoveUnreferenced() override;
  const std::filesystem::path& dir() const override { return dir_; }
  void EndHold();
  Result<std::filesystem::path> Find(const Sha256Digest& blob) const override;

  uint64_t bytes_max() const { return bytes_max_; }
  std::filesystem::path PathOf(const Sha256Digest& blob) const {
    const std::string hex = blob.Hex();
    return dir_ / hex.substr(0, 2) / hex;
  }
  // A pinned blob is not removed. Pins are counted.
  void Pin(const Sha256Digest& blob) {
    MutexLock lock(&mutex_);
    ++pins_[blob];
  }
  void Unpin(const Sha256Digest& blob) {
    MutexLock lock(&mutex_);
    if (--pins_[blob] == 0) pins_.erase(blob);
  }
  // Renames a finished temporary file to its hash, durably.
  Status Publish(const std::filesystem::path& temporary, const Sha256Digest& blob);

 private:
  // Removes blobs of one folder, as RemoveIfUnreferenced.
  Status SweepFolder(const std::filesystem::path& folder, uint64_t* removed);
  Result<bool> Remove(const Sha256Digest& blob);

  const std::filesystem::path dir_;
  Database* const database_;
  const uint64_t bytes_max_;
  std::atomic<uint64_t> next_temporary_{0};
  Mutex mutex_;
  std::map<Sha256Digest, int> pins_ GUARDED_BY(mutex_);
  int holds_ GUARDED_BY(mutex_) = 0;
  std::set<Sha256Digest> held_ GUARDED_BY(mutex_);  // to be removed when no hold is left
};

class FileHold : public BlobStore::Hold {
 public:
  explicit FileHold(FileBlobStore* store) : store_(store) {}
  ~FileHold() override { store_->EndHold(); }

 private:
  FileBlobStore* const store_;
};

FileBlobWriter::~FileBlobWriter() {
  if (!renamed_) ::unlink(path_.c_str());
  if (pinned_) store_->Unpin(*pinned_);
}

Status FileBlobWriter::Append(std::string_view bytes) {
  if (bytes.size() > store_->bytes_max() - size_) {
    return ResourceExhausted(Reason::kFileTooLarge, "the file is larger than the limit of " +
                                                        std::to_string(store_->bytes_max()) +
                                                        " bytes; split it or raise the limit");
  }
  RETURN_IF_ERROR(WriteAll(file_.get(), bytes, path_.native()));
  hash_.Update(bytes);
  size_ += bytes.size();
  return OkStatus();
}

Result<Sha256Digest> FileBlobWriter::Finish() {
  if (!file_.valid()) {
    return FailedPrecondition(Reason::kInvalidArgument, "the blob was finished before");
  }
  if (::fsync(file_.get()) != 0) return ErrnoStatus(errno, "fsync " + path_.native());
  file_.Reset();
  const Sha256Digest digest = hash_.Finish();
  store_->Pin(digest);
  pinned_ = digest;
  RETURN_IF_ERROR(store_->Publish(path_, digest));
  renamed_ = true;
  return digest;
}

Status FileBlobStore::Publish(const std::filesystem::path& temporary, const Sha256Digest& blob) {
  const std::filesystem::path path = PathOf(blob);
  const std::filesystem::path folder = path.parent_path();
  if (::mkdir(folder.c_str(), 0700) == 0) {
    RETURN_IF_ERROR(SyncDirectory(dir_));
  } else if (errno != EEXIST) {
    return ErrnoStatus(errno, "create " + folder.native());
  }
  // Onto an equal blob does no harm: the content is the same.
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, "rename " + temporary.native() + " to " + path.native());
  }
  return SyncDirectory(folder);
}

Result<std::unique_ptr<BlobWriter>> FileBlobStore::Create() {
  const std::string name =
      std::string(kTemporaryPrefix) + std::to_string(next_temporary_.fetch_add(1));
  const std::filesystem::path path = dir_ / name;
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return std::unique_ptr<BlobWriter>(std::make_unique<FileBlobWriter>(this, path, std::move(file)));
}

// The lock is held across the removal: a writer of the same content pins before it renames, so its
// file comes after the removal or prevents it.
Result<bool> FileBlobStore::Remove(const Sha256Digest& blob) {
  MutexLock lock(&mutex_);
  if (pins_.count(blob) > 0) return false;
  ASSIGN_OR_RETURN(const bool referenced, IsReferenced(*database_, blob));
  if (referenced) return false;
  if (holds_ > 0) {
    held_.insert(blob);
    return false;
  }
  const std::filesystem::path path = PathOf(blob);
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return ErrnoStatus(errno, "remove " + path.native());
}

Status FileBlobStore::RemoveIfUnreferenced(const Sha256Digest& blob) {
  return Remove(blob).status();
}

std::unique_ptr<BlobStore::Hold> FileBlobStore::HoldRemovals() {
  MutexLock lock(&mutex_);
  ++holds_;
  return std::make_unique<FileHold>(this);
}

void FileBlobStore::EndHold() {
  std::set<Sha256Digest> held;
  {
    MutexLock lock(&mutex_);
    if (--holds_ > 0) return;
    held.swap(held_);
  }
  // One that cannot be removed now is removed at the next start.
  for (const Sha256Digest& blob : held) (void)RemoveIfUnreferenced(blob);
}

Result<std::filesystem::path> FileBlobStore::Find(const Sha256Digest& blob) const {
  std::filesystem::path path = PathOf(blob);
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return path;
  if (errno != ENOENT) return ErrnoStatus(errno, "look for " + path.native());
  return NotFound(Reason::kFileNotFound,
                  "the original " + blob.Hex() + " is not stored; add the document again");
}

Status FileBlobStore::Sweep() {
  std::error_code error;
  std::filesystem::directory_iterator it(dir_, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().native();
    if (name.compare(0, kTemporaryPrefix.size(), kTemporaryPrefix) != 0) continue;
    if (::unlink(it->path().c_str()) != 0) {
      return ErrnoStatus(errno, "remove " + it->path().native());
    }
  }
  if (error) return ErrnoStatus(error.value(), "list " + dir_.native());
  return RemoveUnreferenced().status();
}

Result<uint64_t> FileBlobStore::RemoveUnreferenced() {
  uint64_t removed = 0;
  std::error_code error;
  std::filesystem::directory_iterator it(dir_, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->path().filename().native().size() != 2) continue;
    RETURN_IF_ERROR(SweepFolder(it->path(), &removed));
  }
  if (error) return ErrnoStatus(error.value(), "list " + dir_.native());
  return removed;
}

Status FileBlobStore::SweepFolder(const std::filesystem::path& folder, uint64_t* removed) {
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    // Files that are not ours are left alone.
    const Result<Sha256Digest> blob = Sha256Digest::FromHex(it->path().filename().native());
    if (!blob.ok()) continue;
    ASSIGN_OR_RETURN(const bool gone, Remove(*blob));
    if (gone) ++*removed;
  }
  if (error) return ErrnoStatus(error.value(), "list " + folder.native());
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<BlobStore>> BlobStore::Open(const std::filesystem::path& dir,
                                                   Database* database, uint64_t bytes_max) {
  RETURN_IF_ERROR(CreateDirectories(dir));
  auto store = std::make_unique<FileBlobStore>(dir, database, bytes_max);
  RETURN_IF_ERROR(store->Sweep());
  return std::unique_ptr<BlobStore>(std::move(store));
}

}  // namespace ragstone::index

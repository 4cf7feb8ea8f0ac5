#include "index/internal/testing/faulty_disk.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "index/internal/store.h"

namespace ragstone::index {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using Operation = FaultyDisk::Operation;

constexpr uint64_t kPage = 4096;

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().lexically_normal().string();
}

// The name without what depends on how it was written.
std::string Plain(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

std::string Content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

// What decides about faults and knows what is on the disk for good.
class DiskState {
 public:
  explicit DiskState(uint64_t seed) : random_(seed) {}

  void Set(const FaultyDisk::Faults& faults) {
    MutexLock lock(&mutex_);
    faults_ = faults;
  }
  uint64_t failed() const {
    MutexLock lock(&mutex_);
    return failed_;
  }
  void CutPower() {
    MutexLock lock(&mutex_);
    off_ = true;
  }

  // Whether an operation goes on.
  IOStatus Check(Operation operation, const std::string& path) {
    MutexLock lock(&mutex_);
    if (off_ && operation != Operation::kRead) return Gone(path);
    const uint64_t one_in = faults_.one_in[static_cast<size_t>(operation)];
    if (one_in == 0 || random_() % one_in != 0) return IOStatus::OK();
    ++failed_;
    return IOStatus::IOError("Input/output error (made by a test)", path);
  }

  // How many of `size` bytes are written, and with what outcome.
  std::pair<size_t, IOStatus> CheckWrite(size_t size, const std::string& path) {
    MutexLock lock(&mutex_);
    if (off_) return {0, Gone(path)};
    const uint64_t one_in = faults_.one_in[static_cast<size_t>(Operation::kWrite)];
    if (one_in != 0 && random_() % one_in == 0) {
      ++failed_;
      return {0, IOStatus::IOError("Input/output error (made by a test)", path)};
    }
    if (faults_.short_write_one_in != 0 && random_() % faults_.short_write_one_in == 0) {
      ++failed_;
      return {random_() % (size + 1), IOStatus::IOError("Short write (made by a test)", path)};
    }
    if (size > faults_.room_bytes) {
      ++failed_;
      const size_t part = faults_.room_bytes;
      faults_.room_bytes = 0;
      return {part, IOStatus::NoSpace("No space left on device (made by a test)", path)};
    }
    if (faults_.room_bytes != UINT64_MAX) faults_.room_bytes -= size;
    return {size, IOStatus::OK()};
  }

  // --- what is durable
  void Created(const std::string& path, uint64_t size) {
    MutexLock lock(&mutex_);
    files_[Plain(path)] = {size, size};
    NewName(path, std::nullopt);
  }
  void Written(const std::string& path, uint64_t size) {
    MutexLock lock(&mutex_);
    files_[Plain(path)].size += size;
  }
  void Synced(const std::string& path) {
    MutexLock lock(&mutex_);
    File& file = files_[Plain(path)];
    file.synced = file.size;
  }
  void FolderSynced(const std::string& folder) {
    MutexLock lock(&mutex_);
    new_names_.erase(Plain(folder + "/x").substr(0, Plain(folder + "/x").size() - 2));
  }
  void Removed(const std::string& path) {
    MutexLock lock(&mutex_);
    files_.erase(Plain(path));
    new_names_[FolderOf(path)].erase(Plain(path));
  }
  // Before the renaming.
  void Renaming(const std::string& from, const std::string& to) {
    MutexLock lock(&mutex_);
    std::optional<std::string> before;
    if (std::filesystem::exists(to)) before = Content(to);
    const auto file = files_.find(Plain(from));
    if (file != files_.end()) {
      files_[Plain(to)] = file->second;
      files_.erase(file);
    }
    new_names_[FolderOf(from)].erase(Plain(from));
    NewName(to, std::move(before));
  }

  void LoseUnsynced() {
    MutexLock lock(&mutex_);
    for (const auto& [folder, names] : new_names_) {
      for (const auto& [path, before] : names) {
        std::error_code ignored;
        std::filesystem::remove(path, ignored);
        if (before.has_value()) std::ofstream(path, std::ios::binary) << *before;
        files_.erase(path);
      }
    }
    for (const auto& [path, file] : files_) Tear(path, file);
    files_.clear();
    new_names_.clear();
  }

 private:
  struct File {
    uint64_t size = 0;
    uint64_t synced = 0;
  };

  static IOStatus Gone(const std::string& path) {
    return IOStatus::IOError("The power is off (made by a test)", path);
  }

  void NewName(const std::string& path, std::optional<std::string> before) REQUIRES(mutex_) {
    // What was there before the first of several changes stays what was there before.
    new_names_[FolderOf(path)].try_emplace(Plain(path), std::move(before));
  }

  // Keeps the part that was fsynced and some of the rest.
  void Tear(const std::string& path, const File& file) REQUIRES(mutex_) {
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(path, error);
    if (error || size <= file.synced) return;
    const uint64_t kept = file.synced + random_() % (size - file.synced + 1);
    std::filesystem::resize_file(path, kept, error);
    if (random_() % 2 == 0) return;
    // Pages reach the disk in any order: one that did not is zeros.
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    for (uint64_t page = file.synced / kPage; page * kPage < kept; ++page) {
      if (random_() % 4 != 0) continue;
      const uint64_t begin = std::max(page * kPage, file.synced);
      const std::string zeros(std::min((page + 1) * kPage, kept) - begin, '\0');
      if (pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(begin)) < 0) break;
    }
    close(fd);
  }

  mutable Mutex mutex_;
  std::mt19937_64 random_ GUARDED_BY(mutex_);
  FaultyDisk::Faults faults_ GUARDED_BY(mutex_);
  bool off_ GUARDED_BY(mutex_) = false;
  uint64_t failed_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, File> files_ GUARDED_BY(mutex_);
  // Names that no fsync of their folder made durable, by folder, with what was there before.
  std::map<std::string, std::map<std::string, std::optional<std::string>>> new_names_
      GUARDED_BY(mutex_);
};

class FaultyReader : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  FaultyReader(std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::string path, DiskState* disk)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), path_(std::move(path)), disk_(disk) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* context) const override {
    IOStatus status = disk_->Check(Operation::kRead, path_);
    if (!status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::Read(offset, n, options, result, scratch, context);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kRead, path_);
    if (!status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, context);
  }

 private:
  const std::string path_;
  DiskState* const disk_;
};

class FaultySequence : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  FaultySequence(std::unique_ptr<rocksdb::FSSequentialFile> file, std::string path, DiskState* disk)
      : FSSequentialFileOwnerWrapper(std::move(file)), path_(std::move(path)), disk_(disk) {}
  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kRead, path_);
    if (!status.ok()) return status;
    return FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, context);
  }

 private:
  const std::string path_;
  DiskState* const disk_;
};

class FaultyWriter : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyWriter(std::unique_ptr<rocksdb::FSWritableFile> file, std::string path, DiskState* disk)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), disk_(disk) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* context) override {
    auto [size, status] = disk_->CheckWrite(data.size(), path_);
    if (size > 0) {
      const IOStatus written =
          FSWritableFileOwnerWrapper::Append(Slice(data.data(), size), options, context);
      if (!written.ok()) return written;
      disk_->Written(path_, size);
    }
    return std::move(status);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verification*/,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    return Synced(FSWritableFileOwnerWrapper::Sync(options, context));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return Synced(FSWritableFileOwnerWrapper::Fsync(options, context));
  }

 private:
  IOStatus Synced(IOStatus status) {
    const IOStatus allowed = disk_->Check(Operation::kSync, path_);
    if (!allowed.ok()) return allowed;
    if (status.ok()) disk_->Synced(path_);
    return status;
  }

  const std::string path_;
  DiskState* const disk_;
};

class FaultyFolder : public rocksdb::FSDirectoryWrapper {
 public:
  FaultyFolder(std::unique_ptr<rocksdb::FSDirectory> folder, std::string path, DiskState* disk)
      : FSDirectoryWrapper(std::move(folder)), path_(std::move(path)), disk_(disk) {}
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    const IOStatus allowed = disk_->Check(Operation::kSync, path_);
    return allowed.ok() ? Synced(FSDirectoryWrapper::Fsync(options, context)) : allowed;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* context,
                               const rocksdb::DirFsyncOptions& how) override {
    const IOStatus allowed = disk_->Check(Operation::kSync, path_);
    if (!allowed.ok()) return allowed;
    return Synced(FSDirectoryWrapper::FsyncWithDirOptions(options, context, how));
  }

 private:
  IOStatus Synced(IOStatus status) {
    if (status.ok()) disk_->FolderSynced(path_);
    return status;
  }

  const std::string path_;
  DiskState* const disk_;
};

class FaultyFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyFileSystem(DiskState* disk)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(disk) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kMetadata, path);
    if (status.ok()) status = target()->NewSequentialFile(path, options, result, context);
    if (status.ok()) *result = std::make_unique<FaultySequence>(std::move(*result), path, disk_);
    return status;
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kMetadata, path);
    if (status.ok()) status = target()->NewRandomAccessFile(path, options, result, context);
    if (status.ok()) *result = std::make_unique<FaultyReader>(std::move(*result), path, disk_);
    return status;
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kMetadata, path);
    if (status.ok()) status = target()->NewWritableFile(path, options, result, context);
    if (status.ok()) Wrap(path, 0, result);
    return status;
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kMetadata, path);
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(path, error);
    if (status.ok()) status = target()->ReopenWritableFile(path, options, result, context);
    if (status.ok()) Wrap(path, error ? 0 : size, result);
    return status;
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old,
                             const FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                             IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kMetadata, path);
    if (status.ok()) status = target()->ReuseWritableFile(path, old, options, result, context);
    if (status.ok()) Wrap(path, 0, result);
    return status;
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kMetadata, path);
    if (status.ok()) status = target()->NewDirectory(path, options, result, context);
    if (status.ok()) *result = std::make_unique<FaultyFolder>(std::move(*result), path, disk_);
    return status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* context) override {
    IOStatus status = disk_->Check(Operation::kMetadata, path);
    if (status.ok()) status = target()->DeleteFile(path, options, context);
    if (status.ok()) disk_->Removed(path);
    return status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override {
    const IOStatus status = disk_->Check(Operation::kMetadata, to);
    if (!status.ok()) return status;
    disk_->Renaming(from, to);
    return target()->RenameFile(from, to, options, context);
  }

 private:
  void Wrap(const std::string& path, uint64_t size,
            std::unique_ptr<rocksdb::FSWritableFile>* file) {
    disk_->Created(path, size);
    *file = std::make_unique<FaultyWriter>(std::move(*file), path, disk_);
  }

  DiskState* const disk_;
};

}  // namespace

struct FaultyDisk::Impl {
  explicit Impl(uint64_t seed) : disk(seed) {}
  DiskState disk;
};

FaultyDisk::FaultyDisk(uint64_t seed) : impl_(std::make_shared<Impl>(seed)) {
  Store::SetFileSystemForTests(std::make_shared<FaultyFileSystem>(&impl_->disk));
}

FaultyDisk::~FaultyDisk() { Store::SetFileSystemForTests(nullptr); }

void FaultyDisk::Set(const Faults& faults) { impl_->disk.Set(faults); }
uint64_t FaultyDisk::failed() const { return impl_->disk.failed(); }
void FaultyDisk::CutPower() { impl_->disk.CutPower(); }
void FaultyDisk::LoseUnsynced() { impl_->disk.LoseUnsynced(); }

}  // namespace ragstone::index

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ragstone {

// Owns a file descriptor; closes it at the end.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { Reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = other.Release();
    }
    return *this;
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset();

 private:
  int fd_ = -1;
};

// All of these return ErrnoStatus errors that name the path.

// Opens with O_CLOEXEC added to `flags`; new files get `mode`.
Result<FileDescriptor> OpenFile(const std::filesystem::path& path, int flags, int mode = 0644);

// Writes all bytes, continuing after short writes.
Status WriteAll(int fd, std::string_view bytes, std::string_view path_for_errors);

// RESOURCE_EXHAUSTED/FILE_TOO_LARGE if the file is larger than `limit` bytes.
Result<std::string> ReadFile(const std::filesystem::path& path, uint64_t limit = UINT64_MAX);

// A file mapped read-only into memory. Movable; unmaps at the end.
class MappedFile {
 public:
  static Result<MappedFile> Open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::string_view bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// Replaces `path` so that a crash leaves the old or the new content: temporary file in the same
// folder, fsync, rename, fsync of the folder.
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes,
                           int mode = 0644);

// fsyncs a folder, so that renames in it are durable.
Status SyncDirectory(const std::filesystem::path& path);

// Creates the folder and its parents; new ones get `mode`. OK if it exists.
Status CreateDirectories(const std::filesystem::path& path, int mode = 0700);

}  // namespace ragstone

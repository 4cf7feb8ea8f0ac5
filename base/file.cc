#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace ragstone {

void FileDescriptor::Reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<FileDescriptor> OpenFile(const std::filesystem::path& path, int flags, int mode) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return FileDescriptor(fd);
    if (errno != EINTR) return ErrnoStatus(errno, "open " + path.string());
  }
}

Status WriteAll(int fd, std::string_view bytes, std::string_view path_for_errors) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus(errno, "write " + std::string(path_for_errors));
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return OkStatus();
}

Result<std::string> ReadFile(const std::filesystem::path& path, uint64_t limit) {
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_RDONLY));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, "stat " + path.string());
  if (S_ISDIR(info.st_mode)) return ErrnoStatus(EISDIR, "read " + path.string());
  std::string bytes;
  if (info.st_size > 0) bytes.reserve(static_cast<size_t>(info.st_size));
  std::string buffer(1 << 16, '\0');
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read " + path.string());
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<size_t>(got) > limit) {
      return ResourceExhausted(Reason::kFileTooLarge, path.string() + " is larger than " +
                                                          std::to_string(limit) + " bytes");
    }
    bytes.append(buffer.data(), static_cast<size_t>(got));
  }
}

Result<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_RDONLY));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, "stat " + path.string());
  MappedFile mapped;
  if (info.st_size == 0) return mapped;
  void* data =
      ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return ErrnoStatus(errno, "map " + path.string());
  mapped.data_ = static_cast<const char*>(data);
  mapped.size_ = static_cast<size_t>(info.st_size);
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Status SyncDirectory(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const FileDescriptor folder, OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(folder.get()) != 0) return ErrnoStatus(errno, "fsync " + path.string());
  return OkStatus();
}

namespace {

Status WriteAndSync(const std::filesystem::path& path, std::string_view bytes, int mode) {
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  RETURN_IF_ERROR(WriteAll(file.get(), bytes, path.string()));
  if (::fsync(file.get()) != 0) return ErrnoStatus(errno, "fsync " + path.string());
  return OkStatus();
}

}  // namespace

Status WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes, int mode) {
  static std::atomic<uint64_t> counter{0};
  const std::filesystem::path temporary =
      path.string() + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  Status status = WriteAndSync(temporary, bytes, mode);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, "rename to " + path.string());
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  const std::filesystem::path parent = path.parent_path();
  return SyncDirectory(parent.empty() ? "." : parent);
}

Status CreateDirectories(const std::filesystem::path& path, int mode) {
  if (path.empty()) return OkStatus();
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    return S_ISDIR(info.st_mode) ? OkStatus() : ErrnoStatus(ENOTDIR, "create " + path.string());
  }
  if (path.has_parent_path() && path.parent_path() != path) {
    RETURN_IF_ERROR(CreateDirectories(path.parent_path(), mode));
  }
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, "create " + path.string());
  }
  return OkStatus();
}

}  // namespace ragstone

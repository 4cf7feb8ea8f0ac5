#include "llm/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/file.h"

namespace ragstone::llm {

Result<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_RDONLY));
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return ErrnoStatus(errno, "stat " + path.string());
  if (!S_ISREG(facts.st_mode)) {
    return InvalidArgument(Reason::kInvalidArgument, path.string() + " is not a regular file");
  }
  if (facts.st_size == 0) {
    return InvalidArgument(Reason::kEmptyFile, path.string() + " is empty; download it again");
  }
  const auto size = static_cast<size_t>(facts.st_size);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, "map " + path.string());
  return MappedFile({static_cast<const char*>(memory), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, std::string_view())) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace ragstone::llm

#include "llm/mapped_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace ragstone::llm {

Result<MappedFile> MapModelFile(const std::filesystem::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return ErrnoStatus(errno, "open " + path.string());
  if (!S_ISREG(facts.st_mode)) {
    return InvalidArgument(Reason::kInvalidArgument, path.string() + " is not a regular file");
  }
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  if (file.bytes().empty()) {
    return InvalidArgument(Reason::kEmptyFile, path.string() + " is empty; download it again");
  }
  return file;
}

}  // namespace ragstone::llm

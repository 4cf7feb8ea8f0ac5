#pragma once

#include <filesystem>
#include <string_view>

#include "base/status.h"

namespace ragstone::llm {

// A file as bytes in memory, read when they are touched. If another process makes the file shorter
// meanwhile, touching the missing bytes ends this process; so only import workers map foreign
// files.
class MappedFile {
 public:
  // INVALID_ARGUMENT (EMPTY_FILE) for a file without bytes; ErrnoStatus errors.
  static Result<MappedFile> Open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

}  // namespace ragstone::llm

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/status.h"

namespace ragstone::services {

// A folder of mode 0700 for the sockets of one process, `$XDG_RUNTIME_DIR/ragstone-XXXXXX` or,
// without that variable, `/tmp/ragstone-<uid>/ragstone-XXXXXX`. Removed at the end; folders that a
// killed process left behind are removed by the next one. Thread-safe.
class RuntimeDir {
 public:
  // UNAVAILABLE (WORKER_UNAVAILABLE) if no safe folder can be made, saying why.
  static Result<std::unique_ptr<RuntimeDir>> Create();
  // As Create, under `base`, which must exist.
  static Result<std::unique_ptr<RuntimeDir>> CreateUnder(const std::filesystem::path& base);
  ~RuntimeDir();
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // A path for a new socket, at most 100 bytes, never the same twice: `<path>/<prefix>-<random>`.
  std::filesystem::path NewSocketPath(std::string_view prefix) const;

 private:
  RuntimeDir(std::filesystem::path path, FileDescriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  FileDescriptor lock_;  // held as long as the folder is in use
};

// `bytes` random bytes as lower-case hexadecimal digits, from the kernel.
std::string RandomHex(size_t bytes);

}  // namespace ragstone::services

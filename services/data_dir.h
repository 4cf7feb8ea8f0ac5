#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/status.h"

namespace ragstone::services {

// A data directory that this process has locked. The lock ends with the object or the process.
class DataDir {
 public:
  // Creates the folder (mode 0700) where needed and locks it, waiting up to `wait_ms`. UNAVAILABLE
  // (DATA_DIR_LOCKED) names the process that holds it; PERMISSION_DENIED, RESOURCE_EXHAUSTED
  // (DISK_FULL).
  static Result<DataDir> Lock(const std::filesystem::path& path, int wait_ms);
  DataDir(DataDir&&) noexcept = default;
  // Removes the endpoint file if this object wrote it.
  ~DataDir();

  const std::filesystem::path& path() const { return path_; }

  // Tells other processes where this one listens, in `<path>/endpoint`.
  Status WriteEndpoint(const std::string& socket_target, const std::string& tcp_address);
  void RemoveEndpoint();

  // The bearer token of the TCP port: 64 hexadecimal digits in `<path>/token` (mode 0600), made on
  // first use. FAILED_PRECONDITION (TOKEN_INVALID) if the file holds a weak one.
  Result<std::string> Token();

 private:
  DataDir(std::filesystem::path path, FileDescriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  FileDescriptor lock_;
  bool has_endpoint_ = false;
};

}  // namespace ragstone::services

#include "index/internal/closing_list.h"

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/hash.h"

namespace ragstone::index {
namespace {

constexpr std::string_view kHead = "ragstone closing list 1\n";
constexpr std::string_view kEnd = "end ";
constexpr uint64_t kListBytesMax = 64 << 20;

std::string Hex(uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(number));
  return text;
}

bool IsTable(const std::filesystem::path& path) { return path.extension() == ".sst"; }

// A line of the list: the hash of the content, or of nothing for tables; the size; the name.
Result<std::string> LineOf(const std::filesystem::path& path) {
  uint64_t hash = 0;
  if (!IsTable(path)) {
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
    hash = FastHash(file.bytes());
  }
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error) return ErrnoStatus(error.value(), "look at " + path.string());
  return Hex(hash) + " " + std::to_string(size) + " " + path.filename().string();
}

Status Damaged(const std::filesystem::path& path, const std::string& how) {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                path.string() + " " + how +
                    " since the database was closed; restore the data directory from a backup");
}

}  // namespace

Status WriteClosingList(const std::filesystem::path& dir) {
  std::vector<std::string> lines;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "rocksdb", error)) {
    if (!entry.is_regular_file() || entry.path().filename() == "LOCK") continue;
    ASSIGN_OR_RETURN(std::string line, LineOf(entry.path()));
    lines.push_back(std::move(line));
  }
  if (error) return ErrnoStatus(error.value(), "list the files of " + dir.string());
  std::sort(lines.begin(), lines.end());
  std::string list(kHead);
  for (const std::string& line : lines) list += line + "\n";
  list += std::string(kEnd) + Hex(FastHash(list)) + "\n";
  return WriteFileAtomically(dir / kClosingListFile, list, 0600);
}

Status CheckClosingList(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / kClosingListFile;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return OkStatus();
  ASSIGN_OR_RETURN(const std::string list, ReadFile(path, kListBytesMax));
  const size_t end = list.rfind(kEnd);
  if (end == std::string::npos || !list.starts_with(kHead) ||
      list.substr(end) != std::string(kEnd) + Hex(FastHash(list.substr(0, end))) + "\n") {
    return Damaged(path, "was damaged");
  }
  std::istringstream lines(list.substr(kHead.size(), end - kHead.size()));
  std::string line;
  while (std::getline(lines, line)) {
    const std::filesystem::path file = dir / "rocksdb" / line.substr(line.rfind(' ') + 1);
    if (!std::filesystem::exists(file, error)) return Damaged(file, "has gone");
    ASSIGN_OR_RETURN(const std::string now, LineOf(file));
    if (now != line) return Damaged(file, "has changed");
  }
  std::filesystem::remove(path, error);
  if (error) return ErrnoStatus(error.value(), "remove " + path.string());
  return SyncDirectory(dir);
}

}  // namespace ragstone::index

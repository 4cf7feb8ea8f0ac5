#include "index/internal/records_db/index_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "base/crash_point.h"
#include "base/hash.h"
#include "index/internal/coding.h"

namespace ragstone::index::records {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolder = "indexes";
constexpr std::string_view kSuffix = ".index";
constexpr size_t kHeadBytes = 4 + 8;  // length and hash of a chunk
constexpr size_t kChunkMax = 64 << 20;
// The disk is given work as the file grows, so that fsync of the log never waits for all of it.
constexpr uint64_t kFlushBytes = 8 << 20;

Status Damaged(const std::string& path, std::string_view what) {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the index file " + path + " is damaged (" + std::string(what) + ")");
}

std::string StampName(uint64_t stamp) {
  char name[32];
  snprintf(name, sizeof(name), "%016llx", static_cast<unsigned long long>(stamp));
  return std::string(name) + std::string(kSuffix);
}

// Places of equal chunks differ, and so do their hashes.
uint64_t ChunkHash(std::string_view chunk, uint64_t stamp, uint32_t number) {
  return FastHash(chunk, stamp * 31 + number);
}

uint64_t Chained(uint64_t hash, uint64_t chunk_hash) {
  std::string bytes;
  Encoder(&bytes).U64(chunk_hash);
  return FastHash(bytes, hash);
}

std::vector<fs::path> EntriesOf(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  return entries;
}

}  // namespace

IndexFolder::IndexFolder(const fs::path& database, CollectionId collection)
    : path_(database / kFolder / std::to_string(collection)) {}

Status IndexFolder::Create() const { return CreateDirectories(path_); }

fs::path IndexFolder::Path(uint64_t stamp) const { return path_ / StampName(stamp); }

void IndexFolder::KeepOnly(const std::set<uint64_t>& stamps) const {
  std::set<std::string> names;
  for (const uint64_t stamp : stamps) names.insert(StampName(stamp));
  // What cannot be removed now is found again at the next start.
  std::error_code ignored;
  for (const fs::path& entry : EntriesOf(path_)) {
    if (!names.contains(entry.filename().string())) fs::remove_all(entry, ignored);
  }
  if (names.empty()) fs::remove(path_, ignored);
}

void IndexFolder::KeepFolders(const fs::path& database, const std::set<CollectionId>& collections) {
  std::set<std::string> names;
  for (const CollectionId id : collections) names.insert(std::to_string(id));
  std::error_code ignored;
  for (const fs::path& entry : EntriesOf(database / kFolder)) {
    if (!names.contains(entry.filename().string())) fs::remove_all(entry, ignored);
  }
}

Result<std::unique_ptr<ChunkFileWriter>> ChunkFileWriter::Create(const IndexFolder& folder,
                                                                 uint64_t stamp) {
  RETURN_IF_ERROR(folder.Create());
  std::unique_ptr<ChunkFileWriter> writer(new ChunkFileWriter(folder.Path(stamp), stamp));
  ASSIGN_OR_RETURN(writer->file_,
                   OpenFile(writer->temporary(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return writer;
}

ChunkFileWriter::~ChunkFileWriter() {
  if (file_.valid()) ::unlink(temporary().c_str());
}

Status ChunkFileWriter::Put(uint32_t number, std::string_view chunk) {
  const uint64_t hash = ChunkHash(chunk, written_.stamp, number);
  std::string head;
  Encoder out(&head);
  out.U32(static_cast<uint32_t>(chunk.size()));
  out.U64(hash);
  RETURN_IF_ERROR(WriteAll(file_.get(), head, temporary()));
  RETURN_IF_ERROR(WriteAll(file_.get(), chunk, temporary()));
  written_.bytes += head.size() + chunk.size();
  written_.hash = Chained(written_.hash, hash);
  if (written_.bytes - flushed_ >= kFlushBytes) {
    // Only a hint: Finish sees to it that all is there.
    (void)sync_file_range(file_.get(), static_cast<off64_t>(flushed_),
                          static_cast<off64_t>(written_.bytes - flushed_), SYNC_FILE_RANGE_WRITE);
    flushed_ = written_.bytes;
  }
  return OkStatus();
}

Result<StoredFile> ChunkFileWriter::Finish() {
  if (::fsync(file_.get()) != 0) return ErrnoStatus(errno, "fsync " + temporary());
  CrashPoint("records.index-written");
  if (::rename(temporary().c_str(), path_.c_str()) != 0) {
    return ErrnoStatus(errno, "rename to " + path_.string());
  }
  file_.Reset();
  CrashPoint("records.index-named");
  RETURN_IF_ERROR(SyncDirectory(path_.parent_path()));
  // The folder itself may be new.
  RETURN_IF_ERROR(SyncDirectory(path_.parent_path().parent_path()));
  RETURN_IF_ERROR(SyncDirectory(path_.parent_path().parent_path().parent_path()));
  return written_;
}

Result<std::unique_ptr<ChunkFileReader>> ChunkFileReader::Open(const IndexFolder& folder,
                                                               const StoredFile& stored) {
  std::unique_ptr<ChunkFileReader> reader(new ChunkFileReader(stored));
  reader->path_ = folder.Path(stored.stamp).string();
  ASSIGN_OR_RETURN(reader->file_, OpenFile(reader->path_, O_RDONLY));
  struct stat info {};
  if (::fstat(reader->file_.get(), &info) != 0) return ErrnoStatus(errno, "stat " + reader->path_);
  if (static_cast<uint64_t>(info.st_size) != stored.bytes)
    return Damaged(reader->path_, "its size");
  return reader;
}

Status ChunkFileReader::ReadAll(char* to, size_t size) const {
  while (size > 0) {
    const ssize_t got = ::pread(file_.get(), to, size, static_cast<off_t>(at_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read " + path_);
    if (got == 0) return Damaged(path_, "its end");
    to += got;
    at_ += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
  return OkStatus();
}

Result<std::string> ChunkFileReader::Get(uint32_t number) const {
  if (number != next_) return Damaged(path_, "the order of chunks");
  std::string head(kHeadBytes, '\0');
  RETURN_IF_ERROR(ReadAll(head.data(), head.size()));
  Decoder in(head);
  const uint32_t length = in.U32();
  const uint64_t hash = in.U64();
  if (length > kChunkMax || length > stored_.bytes - at_) return Damaged(path_, "a length");
  std::string chunk(length, '\0');
  RETURN_IF_ERROR(ReadAll(chunk.data(), chunk.size()));
  if (ChunkHash(chunk, stored_.stamp, number) != hash) return Damaged(path_, "a checksum");
  hash_ = Chained(hash_, hash);
  ++next_;
  return chunk;
}

Status ChunkFileReader::Finish() const {
  if (at_ != stored_.bytes || hash_ != stored_.hash) return Damaged(path_, "another file");
  return OkStatus();
}

}  // namespace ragstone::index::records

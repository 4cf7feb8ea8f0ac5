#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/status.h"
#include "index/internal/vectors/segment_io.h"
#include "index/types.h"

// Files that hold indexes of record collections, so that a start need not build them. All of them
// are derived: one that is missing or damaged is not read, and what it held is built again.
namespace ragstone::index::records {

// What is known of a file that was written; `stamp` 0: there is none.
struct StoredFile {
  uint64_t stamp = 0;  // its name; never given twice
  uint64_t bytes = 0;
  uint64_t hash = 0;  // of all of it
  bool operator==(const StoredFile&) const = default;
};

// The files of one collection: `indexes/<collection>/<stamp>.index` under the database.
class IndexFolder {
 public:
  IndexFolder(const std::filesystem::path& database, CollectionId collection);

  Status Create() const;
  std::filesystem::path Path(uint64_t stamp) const;
  // Removes all files but these; the folder too, if nothing is left.
  void KeepOnly(const std::set<uint64_t>& stamps) const;
  // Removes the folders of all other collections.
  static void KeepFolders(const std::filesystem::path& database,
                          const std::set<CollectionId>& collections);

 private:
  const std::filesystem::path path_;
};

// Writes a file of chunks. It has its name once it is whole and on disk; before, it has another and
// goes with the writer.
class ChunkFileWriter : public vectors::ChunkSink {
 public:
  static Result<std::unique_ptr<ChunkFileWriter>> Create(const IndexFolder& folder, uint64_t stamp);
  ~ChunkFileWriter() override;
  // Chunks come in order, from number 0.
  Status Put(uint32_t number, std::string_view chunk) override;
  Result<StoredFile> Finish();

 private:
  ChunkFileWriter(std::filesystem::path path, uint64_t stamp) : path_(std::move(path)) {
    written_.stamp = stamp;
  }
  std::string temporary() const { return path_.string() + ".tmp"; }

  const std::filesystem::path path_;
  FileDescriptor file_;
  StoredFile written_;
  uint64_t flushed_ = 0;
};

// Reads what ChunkFileWriter wrote. DATA_LOSS for anything else.
class ChunkFileReader : public vectors::ChunkSource {
 public:
  static Result<std::unique_ptr<ChunkFileReader>> Open(const IndexFolder& folder,
                                                       const StoredFile& stored);
  // In order, from number 0.
  Result<std::string> Get(uint32_t number) const override;
  // DATA_LOSS unless all of the file was read and is what was written.
  Status Finish() const;

 private:
  explicit ChunkFileReader(const StoredFile& stored) : stored_(stored) {}
  Status ReadAll(char* to, size_t size) const;

  const StoredFile stored_;
  std::string path_;
  FileDescriptor file_;
  mutable uint64_t at_ = 0;
  mutable uint32_t next_ = 0;
  mutable uint64_t hash_ = 0;
};

}  // namespace ragstone::index::records

#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"
#include "index/database.h"

namespace ragstone::index {

// Receives the bytes of a blob and stores them under their hash. Not thread-safe.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  // RESOURCE_EXHAUSTED (FILE_TOO_LARGE) beyond the store's limit, (DISK_FULL) when it is.
  virtual Status Append(std::string_view bytes) = 0;
  // fsyncs, renames to the hash, fsyncs the folder. The blob stays without reference until a Batch
  // with AddReference is written; until this writer is destroyed it is not removed. Unreferenced
  // blobs are swept at start.
  virtual Result<Sha256Digest> Finish() = 0;
  virtual uint64_t size() const = 0;
};

// Original files by content under `<data>/blobs`, reference-counted in the database. Thread-safe.
class BlobStore {
 public:
  // Removes temporary files and unreferenced blobs.
  static Result<std::unique_ptr<BlobStore>> Open(const std::filesystem::path& dir,
                                                 Database* database, uint64_t bytes_max);
  virtual ~BlobStore() = default;
  virtual Result<std::unique_ptr<BlobWriter>> Create() = 0;
  // Adds to `batch` one reference to the blob by `holder` (a job or document key).
  virtual void AddReference(const Sha256Digest& blob, std::string_view holder, Batch* batch) = 0;
  virtual void DropReference(const Sha256Digest& blob, std::string_view holder, Batch* batch) = 0;
  // Removes the file if no reference is left; call after the batch was written.
  virtual Status RemoveIfUnreferenced(const Sha256Digest& blob) = 0;
  // No blob is removed while the hold lives, also if its last reference goes; those that lost it
  // are removed when the last hold ends. Must end before the store.
  class Hold {
   public:
    virtual ~Hold() = default;
  };
  virtual std::unique_ptr<Hold> HoldRemovals() = 0;
  // Removes what has no reference and no writer, as at start; returns how many blobs.
  virtual Result<uint64_t> RemoveUnreferenced() = 0;
  virtual const std::filesystem::path& dir() const = 0;
  // Path of a blob; NOT_FOUND if it is not there.
  virtual Result<std::filesystem::path> Find(const Sha256Digest& blob) const = 0;
};

}  // namespace ragstone::index

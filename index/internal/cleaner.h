#pragma once

#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "index/internal/core.h"

namespace ragstone::index {

// Removes rows that nobody can see any more: of versions that were retired or never published, and
// of dropped collections. What is to be removed stands in the store, so a crash loses nothing and
// repeating a removal does no harm. Owns a thread. Thread-safe.
class Cleaner {
 public:
  explicit Cleaner(Core* core) : core_(core) {}
  ~Cleaner() { Stop(); }
  void Start();
  void Stop();
  // There may be something to remove.
  void Wake();

  // Removes what can be removed now; returns how many versions and collections must wait for a
  // reader or a writer.
  Result<size_t> CleanOnce();
  // Versions only, as at start: no reader and no writer is there.
  Result<size_t> CleanVersions();
  uint64_t failures() const { return failures_.load(); }

 private:
  void Loop();
  Result<size_t> CleanCollections();
  // False if a reader may still see the version.
  Result<bool> CleanVersion(const VersionKeyParts& parts);
  // Removes the rows of the version with this key, and last its pending record.
  Status RemoveVersion(const CollectionInfo& info, const std::string& version_key,
                       keywords::KeywordIndex* keywords);
  Status RemoveCollection(const CollectionInfo& info);

  Core* const core_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
  Mutex mutex_;
  CondVar wake_;
  bool work_ GUARDED_BY(mutex_) = true;
};

}  // namespace ragstone::index

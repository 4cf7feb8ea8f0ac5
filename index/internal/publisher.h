#pragma once

#include <vector>

#include "index/internal/core.h"

namespace ragstone::index {

// Changes which version of a document is published: the one place where a sequence number is taken,
// written and made visible. The caller holds collection->commit_mutex() from construction to the
// end.
class Publisher {
 public:
  Publisher(Core* core, Collection* collection)
      : core_(core), collection_(collection), batch_(&core->store()), stats_(collection->stats()) {}

  // ABORTED if the collection was dropped.
  Status Begin();
  Result<std::optional<DocumentRecord>> Read(DocumentId document) const;
  // The published document ends: its record goes, its rows are left to the cleaner.
  void Retire(const DocumentRecord& record);
  // `record` is published; valid_from is set.
  void Add(DocumentRecord record, std::shared_ptr<VersionState> state);
  // Replaces a record of the same version.
  void Rewrite(const DocumentRecord& record);
  StoreBatch* batch() { return &batch_; }
  // Writes everything, durably, and makes it visible.
  Status Publish();

 private:
  void Put(const DocumentRecord& record);

  Core* const core_;
  Collection* const collection_;
  StoreBatch batch_;
  CollectionStats stats_;
  Collection::Change change_;
};

}  // namespace ragstone::index

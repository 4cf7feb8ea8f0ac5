#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "index/internal/records_db/index_manifest.h"
#include "index/internal/records_db/record_collection.h"
#include "index/internal/records_db/records_env.h"

namespace ragstone::index::records {

// The manifest of a collection; an empty one if there is none or it is damaged, which is said in a
// warning.
Result<IndexManifest> ReadManifest(const RecordsEnv& env, CollectionId collection);
// What of it counts for a collection of this description.
SavedIndexes SavedOf(const StoredSpec& stored, const IndexManifest& manifest);

// When the state of a collection is to be stored.
struct SaveDue {
  bool now = false;
  // Else, perhaps, after so long without a change.
  std::optional<std::chrono::milliseconds> later;
};
SaveDue StateDue(const RecordsEnv& env, const RecordCollection& collection);
// Whether it would be worth it at the end of the program.
bool StateWorthSaving(const RecordsEnv& env, const RecordCollection& collection);

// Stores the sealed parts that are not stored yet and, with `with_state`, everything else; then
// the manifest, which makes it count, and removes files that do not count any more. A crash at any
// point leaves the old manifest with its files, or the new one. Gives up, with CANCELLED, once
// `stopped`. For one thread at a time; not under the commit lock.
struct SaveOptions {
  bool with_state = false;
  std::function<bool()> stopped;
};
Status SaveIndexes(const RecordsEnv& env, RecordCollection* collection, const SaveOptions& options);

// Removes what indexes, stored and in memory, hold of rows that went: all but parts that have none.
// They are read anew when they are used next. For one thread at a time with SaveIndexes.
Status ForgetIndexes(const RecordsEnv& env, RecordCollection* collection);

}  // namespace ragstone::index::records

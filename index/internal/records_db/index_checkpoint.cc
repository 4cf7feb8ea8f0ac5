#include "index/internal/records_db/index_checkpoint.h"

#include <algorithm>

#include "base/crash_point.h"
#include "index/internal/records_db/index_state.h"
#include "index/internal/records_db/part_files.h"

namespace ragstone::index::records {
namespace {

// A state is stored anew after so many changes, and one for each kChangeShare rows, so that what is
// written stays in proportion to what changed, and what a start reads to what there is.
constexpr uint64_t kChangesMin = 4096;
constexpr uint64_t kChangeShare = 16;
// After a while without changes fewer of them are worth it.
constexpr uint64_t kFewChanges = 256;
constexpr auto kQuiet = std::chrono::milliseconds(2000);

// The parts that have files, without a state.
IndexManifest StoredParts(const StoredSpec& spec, Indexes* indexes) {
  IndexManifest manifest;
  for (const VectorSet& vectors : indexes->vectors()) {
    for (const std::shared_ptr<VectorPart>& part : vectors.parts()) {
      if (part->stored().stamp == 0) continue;
      StoredPart stored = DescribePart(vectors.field(), *part);
      stored.fingerprint = VectorFingerprint(spec, vectors.field());
      manifest.parts.push_back(std::move(stored));
    }
  }
  return manifest;
}

// What took long to make would be made again at the next start.
bool HasPartsWithoutFiles(const CollectionState& state) {
  for (const auto& [name, view] : state.indexes->vectors) {
    for (const PartView& part : view) {
      if (part.part->growing() == nullptr && part.part->stored().stamp == 0) return true;
    }
  }
  return false;
}

class Saver {
 public:
  Saver(const RecordsEnv& env, RecordCollection* collection, const SaveOptions& options)
      : env_(env), collection_(collection), options_(options) {}

  Status Save() {
    RETURN_IF_ERROR(Capture());
    if (indexes_ == nullptr) return OkStatus();
    const Status status = Write();
    const Result<IndexManifest> now = ReadManifest(env_, collection_->id());
    if (!now.ok()) return status.ok() ? now.status() : status;
    // After an error, parts that were written are there for the next time; nothing else is.
    std::set<uint64_t> stamps = now->Stamps();
    if (!status.ok()) stamps.insert(parts_written_.begin(), parts_written_.end());
    env_.FolderOf(collection_->id()).KeepOnly(stamps);
    if (status.ok()) CrashPoint("records.index-swept");
    return status;
  }

 private:
  // All of one moment.
  Status Capture() {
    MutexLock commit(&collection_->commit_mutex());
    state_ = collection_->State();
    if (state_ == nullptr || collection_->indexes() == nullptr || collection_->unpublished) {
      return OkStatus();
    }
    indexes_ = collection_->indexes();
    changes_ = collection_->changes();
    captured_.collection = collection_->id();
    captured_.version = state_->version;
    captured_.next_row = collection_->stored.next_row;
    captured_.view = state_->indexes;
    ASSIGN_OR_RETURN(manifest_, ReadManifest(env_, collection_->id()));
    return OkStatus();
  }

  Status Write() {
    for (const auto& [name, view] : captured_.view->vectors) {
      for (const PartView& part : view) {
        if (part.part->growing() == nullptr && part.part->stored().stamp == 0) {
          RETURN_IF_ERROR(WritePart(part.part.get()));
        }
      }
    }
    if (options_.with_state) RETURN_IF_ERROR(WriteState());
    return Commit(options_.with_state);
  }

  Status WritePart(VectorPart* part) {
    ASSIGN_OR_RETURN(const uint64_t stamp, env_.core->sequences().Take());
    RETURN_IF_ERROR(StorePart(env_.FolderOf(collection_->id()), {part, stamp, captured_.version},
                              options_.stopped));
    parts_written_.insert(stamp);
    return OkStatus();
  }

  Status WriteState() {
    if (options_.stopped && options_.stopped()) return StoringStopped();
    FindWaiting();
    ASSIGN_OR_RETURN(const uint64_t stamp, env_.core->sequences().Take());
    ASSIGN_OR_RETURN(const std::unique_ptr<ChunkFileWriter> file,
                     ChunkFileWriter::Create(env_.FolderOf(collection_->id()), stamp));
    RETURN_IF_ERROR(WriteIndexState(captured_, file.get()));
    ASSIGN_OR_RETURN(manifest_.state, file->Finish());
    manifest_.fingerprint = StateFingerprint(*state_->spec);
    manifest_.version = captured_.version;
    manifest_.next_row = captured_.next_row;
    return OkStatus();
  }

  // Live rows of parts without a file.
  void FindWaiting() {
    const fields::RowSet live = captured_.view->fields->AllRows();
    for (const auto& [name, view] : captured_.view->vectors) {
      fields::RowSet* const waiting = &captured_.waiting[name];
      for (const PartView& part : view) {
        if (part.part->stored().stamp != 0) continue;
        for (size_t slot = 0; slot < part.rows; ++slot) {
          const RowId row = part.part->row_id(slot);
          if (live.Contains(row)) waiting->Add(row);
        }
      }
    }
  }

  Status Commit(bool with_state) {
    MutexLock commit(&collection_->commit_mutex());
    const StateRef now = collection_->State();
    if (now == nullptr || now->spec != state_->spec || collection_->indexes() != indexes_) {
      return Status(StatusCode::kAborted, Reason::kUnspecified,
                    "the indexes were changed while they were stored");
    }
    manifest_.parts = StoredParts(*now->spec, indexes_.get()).parts;
    StoreBatch batch(&env_.store());
    batch.Put(Family::kMeta, ManifestKey(collection_->id()), EncodeManifest(manifest_));
    if (with_state) {
      // Rows that went by then are not in it.
      batch.DeleteRange(Family::kMeta, SweptKey(collection_->id(), 0),
                        SweptKey(collection_->id(), captured_.version + 1));
    }
    RETURN_IF_ERROR(env_.store().Write(&batch, /*sync=*/true));
    CrashPoint("records.index-listed");
    if (with_state) collection_->TakeChanges(changes_);
    collection_->set_saved(SavedOf(*now->spec, manifest_));
    return OkStatus();
  }

  const RecordsEnv& env_;
  RecordCollection* const collection_;
  const SaveOptions& options_;
  StateRef state_;
  std::shared_ptr<Indexes> indexes_;
  uint64_t changes_ = 0;
  StateToStore captured_;
  IndexManifest manifest_;
  std::set<uint64_t> parts_written_;
};

}  // namespace

Result<IndexManifest> ReadManifest(const RecordsEnv& env, CollectionId collection) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                   env.store().Get(Family::kMeta, ManifestKey(collection)));
  if (!bytes.has_value()) return IndexManifest();
  Result<IndexManifest> manifest = DecodeManifest(*bytes);
  if (manifest.ok()) return manifest;
  ++env.loads->damaged;
  env.Warn("record collection " + std::to_string(collection) + ": " + manifest.status().message() +
           "; its indexes are built again");
  return IndexManifest();
}

SavedIndexes SavedOf(const StoredSpec& stored, const IndexManifest& manifest) {
  SavedIndexes saved;
  if (manifest.state.stamp != 0 && manifest.fingerprint == StateFingerprint(stored)) {
    saved.version = manifest.version;
  }
  for (const StoredPart& part : manifest.parts) {
    const VectorField* const field = stored.FindVector(part.vector);
    if (field == nullptr || VectorFingerprint(stored, *field) != part.fingerprint) continue;
    saved.bytes += part.file.bytes;
    saved.row_bytes += part.rows * vectors::InputBytes(SpecOf(*field));
  }
  return saved;
}

SaveDue StateDue(const RecordsEnv& env, const RecordCollection& collection) {
  const StateRef state = collection.State();
  if (state == nullptr || state->indexes == nullptr) return {};
  const bool stored = collection.saved().version != 0;
  if (!stored && state->records < env.file_rows_min) return {};
  const uint64_t changes = collection.changes();
  if (changes >=
      std::max(std::min<uint64_t>(kChangesMin, env.file_rows_min), state->records / kChangeShare)) {
    return {true, {}};
  }
  if (!StateWorthSaving(env, collection)) return {};
  const auto quiet = collection.SinceChange();
  if (quiet >= kQuiet) return {true, {}};
  return {false, kQuiet - std::chrono::duration_cast<std::chrono::milliseconds>(quiet)};
}

bool StateWorthSaving(const RecordsEnv& env, const RecordCollection& collection) {
  const StateRef state = collection.State();
  if (state == nullptr || state->indexes == nullptr) return false;
  if (collection.saved().version == 0 && state->records < env.file_rows_min) return false;
  return collection.changes() >= std::min<uint64_t>(kFewChanges, env.file_rows_min) ||
         HasPartsWithoutFiles(*state);
}

Status SaveIndexes(const RecordsEnv& env, RecordCollection* collection,
                   const SaveOptions& options) {
  return Saver(env, collection, options).Save();
}

Status ForgetIndexes(const RecordsEnv& env, RecordCollection* collection) {
  IndexManifest manifest;
  {
    MutexLock commit(&collection->commit_mutex());
    const StateRef state = collection->State();
    if (state == nullptr) return OkStatus();
    if (collection->indexes() != nullptr) {
      manifest = StoredParts(*state->spec, collection->indexes().get());
      std::erase_if(manifest.parts, [](const StoredPart& part) { return part.gone > 0; });
    }
    StoreBatch batch(&env.store());
    if (manifest.parts.empty()) {
      batch.Delete(Family::kMeta, ManifestKey(collection->id()));
    } else {
      batch.Put(Family::kMeta, ManifestKey(collection->id()), EncodeManifest(manifest));
    }
    batch.DeleteRange(Family::kMeta, SweptKey(collection->id(), 0),
                      SweptKey(collection->id(), UINT64_MAX));
    RETURN_IF_ERROR(env.store().Write(&batch, /*sync=*/true));
    collection->set_saved(SavedOf(*state->spec, manifest));
    CollectionState next = *state;
    next.indexes = nullptr;
    collection->SetIndexes(nullptr);
    collection->Publish(std::move(next));
  }
  env.FolderOf(collection->id()).KeepOnly(manifest.Stamps());
  return OkStatus();
}

}  // namespace ragstone::index::records

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "index/internal/document_fields.h"
#include "index/internal/document_vectors.h"
#include "index/internal/keywords/keyword_index.h"
#include "index/internal/records.h"
#include "index/internal/store.h"

namespace ragstone::index {

// When a document version can be seen, in memory. Once it is published its collection guards it.
struct VersionState {
  VersionState(DocumentId document_id, VersionId version_id, SequenceNumber from)
      : document(document_id), version(version_id), valid_from(from) {}

  const DocumentId document;
  const VersionId version;
  SequenceNumber valid_from;         // kNever until published
  SequenceNumber valid_to = kNever;  // set once: retired
  std::vector<ChunkRange> chunks;    // set before it is shared

  bool VisibleAt(SequenceNumber sequence) const {
    return valid_from <= sequence && sequence < valid_to;
  }
  // No reader at or after `sequence` can see it, now or later.
  bool DeadAt(SequenceNumber sequence) const { return valid_to <= sequence; }
};

class Core;

// One collection while the database is open: what is published, who reads, and, once a search
// needed it, versions and vectors in memory. Thread-safe.
//
// Every change of what is published takes the next sequence number under commit_mutex(), goes to
// disk, and then becomes visible by Publish. A reader pins the sequence number it found; rows of a
// version are removed only when no pin can see the version any more. So a reader sees all of a
// version or none of it, without a lock while it reads.
class Collection {
 public:
  Collection(CollectionInfo info, CollectionStats stats, SequenceNumber visible)
      : info_(std::move(info)), settings_(info_.settings), stats_(stats), visible_(visible) {}

  CollectionId id() const { return info_.id; }
  const CollectionSpec& spec() const { return info_.spec; }
  // With live counts and the state of the index.
  CollectionInfo Describe(uint32_t hnsw_vectors_min) const;
  // Without counts and index, as it is stored.
  CollectionInfo Stored() const;
  CollectionSettings settings() const;
  void set_settings(const CollectionSettings& settings);

  // Holds a sequence number readable. Movable; must end before the collection.
  class Pin {
   public:
    Pin(const Collection* collection, SequenceNumber sequence, VectorsSeen vectors)
        : collection_(collection), sequence_(sequence), vectors_(std::move(vectors)) {}
    Pin(Pin&& other) noexcept
        : collection_(std::exchange(other.collection_, nullptr)),
          sequence_(other.sequence_),
          vectors_(std::move(other.vectors_)) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin() {
      if (collection_ != nullptr) collection_->Unpin(sequence_);
    }
    SequenceNumber sequence() const { return sequence_; }
    // What is in memory of the vectors of that moment; null: not loaded.
    const records::VectorView* vectors() const { return vectors_.get(); }

   private:
    const Collection* collection_;
    SequenceNumber sequence_;
    VectorsSeen vectors_;
  };
  Pin PinNow() const;

  // Taken by whoever changes or loads what is published; held over the write. Before any other lock
  // of this class.
  Mutex& commit_mutex() const { return commit_mutex_; }

  // A change that is on disk.
  struct Change {
    SequenceNumber sequence = 0;
    std::shared_ptr<VersionState> added;  // null: none
    std::vector<DocumentId> retired;      // whose current version ends
    // The record of a version that was added or rewritten.
    std::optional<DocumentRecord> record;
    CollectionStats stats;
  };
  void Publish(const Change& change);  // under commit_mutex()

  CollectionStats stats() const;
  // No reader is at or will be before it.
  SequenceNumber Oldest() const;
  bool pinned() const;

  // --- versions; they must be loaded
  // Which of these are seen at a pinned sequence, in their order.
  std::vector<std::shared_ptr<const VersionState>> SeenVersions(
      const std::vector<VersionId>& versions, SequenceNumber sequence) const;
  // All there are, seen by somebody or not; of these documents (ascending), if given.
  std::vector<VersionId> AllVersions() const;
  std::vector<VersionId> VersionsOf(const std::vector<DocumentId>& documents) const;
  // After the version's rows were removed.
  void Forget(VersionId version);

  // --- rows by chunk id; versions must be loaded
  // Of these rows, in order, those that a reader at a pinned sequence must not see.
  std::vector<keywords::RowRange> HiddenRows(std::span<const keywords::RowRange> rows,
                                             SequenceNumber sequence) const;
  // Of these rows, all published once, those that no reader can see any more.
  std::vector<keywords::RowRange> DeadRows(std::span<const keywords::RowRange> rows) const;
  // Whether all of these rows were published once and are not removed yet.
  bool AllPublished(std::span<const keywords::RowRange> rows) const;
  // The chunks of these documents that are seen at a pinned sequence, in order.
  std::vector<keywords::RowRange> RowsOf(const std::vector<DocumentId>& documents,
                                         SequenceNumber sequence) const;
  // The document of a published chunk, 0 if there is none.
  DocumentId DocumentOf(ChunkId chunk) const;
  // When a version was last retired, 0: not since the versions were loaded.
  SequenceNumber last_retired() const;

  // Read from the store what searches need, once. Call without a pin, before taking one.
  Status EnsureVersions(const Store& store);
  Status EnsureVectors(const Core& core);
  std::shared_ptr<DocumentVectors> vectors() const;  // null: not loaded
  VectorsSeen vectors_seen() const;                  // null: not loaded
  Status EnsureFields(const Store& store);
  std::shared_ptr<DocumentFields> fields() const;  // null: not loaded

  // Keywords of the chunks. Set once, before the collection is shared.
  void AttachKeywords(std::shared_ptr<keywords::KeywordIndex> index) {
    keywords_ = std::move(index);
  }
  keywords::KeywordIndex& keywords() const { return *keywords_; }

  // Appends the vectors of a version that is to be published, invisible until then, or takes them
  // back. Nothing if vectors are not loaded. Under commit_mutex().
  Status StageVectors(const Store& store, const VersionState& version);
  void UnstageVectors(const VersionState& version);
  // Makes what was sealed seen. Under commit_mutex().
  void ShowVectors();
  // They are read anew when a search needs them next. Under commit_mutex().
  void UnloadVectors();

  // Set under commit_mutex(): nothing may be published any more.
  bool dropped() const;
  void Drop();
  // Writers that may still add rows.
  void AddWriter(int change);
  int writers() const;

 private:
  // Consecutive chunks of one version.
  struct Rows {
    uint32_t count = 0;
    std::shared_ptr<VersionState> version;
  };

  void Unpin(SequenceNumber sequence) const;
  bool versions_loaded() const;
  void AddRows(const std::shared_ptr<VersionState>& version) REQUIRES(mutex_);
  // Of these rows those of no published version, or of one that `hides` says true of.
  template <typename Hides>
  std::vector<keywords::RowRange> RowsWhere(std::span<const keywords::RowRange> rows,
                                            const Hides& hides) const REQUIRES(mutex_);

  const CollectionInfo info_;  // settings_ holds those of now
  mutable Mutex commit_mutex_;
  mutable Mutex mutex_;
  CollectionSettings settings_ GUARDED_BY(mutex_);
  CollectionStats stats_ GUARDED_BY(mutex_);
  SequenceNumber visible_ GUARDED_BY(mutex_);
  mutable std::multiset<SequenceNumber> pins_ GUARDED_BY(mutex_);
  bool dropped_ GUARDED_BY(mutex_) = false;
  int writers_ GUARDED_BY(mutex_) = 0;
  bool versions_loaded_ GUARDED_BY(mutex_) = false;
  std::unordered_map<VersionId, std::shared_ptr<VersionState>> versions_ GUARDED_BY(mutex_);
  std::unordered_map<DocumentId, std::shared_ptr<VersionState>> current_ GUARDED_BY(mutex_);
  std::map<ChunkId, Rows> rows_ GUARDED_BY(mutex_);  // of versions_, by the first chunk
  SequenceNumber last_retired_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<DocumentVectors> vectors_ GUARDED_BY(mutex_);
  VectorsSeen vectors_seen_ GUARDED_BY(mutex_);  // as of visible_
  std::shared_ptr<DocumentFields> fields_ GUARDED_BY(mutex_);
  std::shared_ptr<keywords::KeywordIndex> keywords_;
};

}  // namespace ragstone::index

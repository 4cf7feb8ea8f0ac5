#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "index/internal/keywords/list_cache.h"
#include "index/internal/keywords/rows.h"
#include "index/internal/keywords/run.h"
#include "index/internal/store.h"

namespace ragstone::index::keywords {

// Which keyword index of a database: the chunks of a collection, or a text field of its records.
struct IndexName {
  CollectionId collection = 0;
  uint16_t field = 0;  // 0: the chunks
};

// Keys of Family::kPosting; docs/FORMAT.md describes them.
enum class KeyKind : uint8_t { kRunRows = 1, kRun = 2, kRows = 3, kList = 4, kPositions = 5 };
std::string KindKey(IndexName name, KeyKind kind);
std::string SegmentKey(IndexName name, KeyKind kind, uint64_t segment);
std::string PartKey(std::string_view segment_key, std::string_view term, uint32_t part);

// The rows of a segment that a view must not see.
struct HiddenRows {
  std::vector<RowRange> ordinals;
  uint64_t rows = 0;
  uint64_t words = 0;
  uint32_t generation = 0;  // never given twice; 0: worked out for one search only
};

// Goes through the stored parts of the lists of a segment, in order of terms and then of rows.
class TermStream {
 public:
  virtual ~TermStream() = default;
  virtual bool Valid() const = 0;
  virtual std::string_view term() const = 0;
  // The part, and the stored places of its term (empty if they are not kept); until Next.
  virtual const PostingList& list() const = 0;
  virtual std::string_view positions() const = 0;
  // Goes to the next part, of the same term or the next one.
  virtual Status Next() = 0;
};

// A part of a keyword index that does not change: a run, or what runs were merged into.
// Thread-safe.
class Segment {
 public:
  struct Spec {
    const Store* store = nullptr;
    ListCache* cache = nullptr;
    IndexName name;
    uint64_t id = 0;  // of a run its first row's
    bool run = false;
    uint64_t merged_at = 0;  // the position at which its rows were all seen or hidden for good
  };
  Segment(const Spec& spec, RowTable rows);

  uint64_t id() const { return spec_.id; }
  bool run() const { return spec_.run; }
  const RowTable& rows() const { return rows_; }

  // Null if no row has the term.
  Result<std::shared_ptr<const LoadedList>> Find(std::string_view term) const;
  // Calls for every part of the list of every term with the prefix, in order, until an error comes
  // back, which is returned.
  using PartVisitor = std::function<Status(std::string_view term, const PostingList& part)>;
  Status VisitPrefix(std::string_view prefix, const PartVisitor& visit) const;
  // The stored part of the term's positions.
  Result<std::string> Positions(std::string_view term, uint32_t part) const;
  Result<std::unique_ptr<TermStream>> Terms() const;
  std::shared_ptr<const HiddenRows> Hidden(const RowView& view) const;
  // Removes everything that is stored of it. May be repeated after an error.
  Status Delete(Store* store) const;
  static void DeleteRun(IndexName name, RowId first, StoreBatch* batch);

 private:
  struct RunBytes {
    std::string bytes;
    RunReader reader;
  };
  // Null if the run was removed: then nobody may see its rows. LoadRun keeps it in the cache.
  Result<std::shared_ptr<const RunBytes>> ReadRun() const;
  Result<std::shared_ptr<const RunBytes>> LoadRun() const;
  Status ReadList(std::string_view term, PostingList* list) const;
  Status VisitRunPrefix(std::string_view prefix, const PartVisitor& visit) const;

  friend class RunStream;
  friend class MergedStream;

  const Spec spec_;
  const RowTable rows_;
  const std::string cache_prefix_;
  mutable Mutex mutex_;
  mutable std::weak_ptr<const RunBytes> run_bytes_ GUARDED_BY(mutex_);  // the cache keeps it
  mutable std::shared_ptr<const HiddenRows> hidden_ GUARDED_BY(mutex_);
  mutable uint64_t hidden_epoch_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ragstone::index::keywords

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/call_context.h"
#include "base/mutex.h"
#include "index/internal/id_allocator.h"
#include "index/internal/keywords/languages.h"
#include "index/internal/keywords/merge.h"
#include "index/internal/keywords/query.h"
#include "index/internal/keywords/scorer.h"
#include "index/internal/keywords/segment.h"
#include "index/internal/keywords/work_signal.h"

namespace ragstone::index::keywords {

// Who has the rows of an index, as its merging needs to know it.
class RowKeeper {
 public:
  virtual ~RowKeeper() = default;
  // What is to be seen now; it stays so while the view exists.
  virtual Result<std::unique_ptr<RowView>> Now() const = 0;
  // Of these rows, in order, those that were published once and that no view, old or new, sees.
  virtual std::vector<RowRange> Dead(std::span<const RowRange> rows) const = 0;
  // Whether all of these rows were published once, seen or not by now. Only then a run is merged.
  virtual bool Settled(std::span<const RowRange> rows) const = 0;
};

// What all keyword indexes of a database share.
struct Shared {
  Store* store = nullptr;
  IdAllocator* segment_ids = nullptr;
  ListCache* cache = nullptr;
  WorkSignal* work = nullptr;
};

struct Query {
  std::string_view text;
  const RowView* view = nullptr;
  size_t limit = 0;
  // Which rows may be found, besides what the view hides; null: all. The statistics do not depend
  // on it.
  const std::vector<RowRange>* candidates = nullptr;
  const std::function<bool(RowId)>* accept = nullptr;
  // Only rows that have all phrases of the text.
  bool phrases_required = false;
  std::vector<RowId> wanted;  // ascending; their exact scores are returned too
};

struct Found {
  std::vector<ScoredRow> top;     // scores above zero, best first, ties by row
  std::vector<ScoredRow> wanted;  // those with a score above zero, by row
};

// The keyword index of one text field. Rows come in runs, in the same write as whatever else makes
// them, and are seen as soon as a view shows them; runs are merged in the background. Nothing is
// read before the first search or merge. Thread-safe.
class KeywordIndex {
 public:
  KeywordIndex(const Shared& shared, IndexName name, Language language)
      : shared_(shared), name_(name), language_(language) {}

  // --- writers
  RunBuilder NewRun() const { return RunBuilder(language_); }
  // Writes a run; it is part of the index once Added is called after the write. No row may ever
  // come twice.
  void Put(const RunBuilder& run, StoreBatch* batch) const;
  void Added(const RunBuilder& run);
  // The rows of the run that began with `first` are removed; Removed follows the write. Does
  // nothing if the run was merged: then its rows go with the next merge.
  void Remove(RowId first, StoreBatch* batch) const { Segment::DeleteRun(name_, first, batch); }
  void Removed(RowId first);
  // Runs were published: there may be something to merge.
  void Published() { shared_.work->Notify(); }
  // No view sees some rows any more: what was merged with them may have to be written anew.
  void Died() { shared_.work->Notify(); }

  // --- readers
  Result<Found> Search(const Query& query, const CallContext& context);
  // The words of the text in order, each with its inverse document frequency.
  Result<std::vector<std::pair<std::string, double>>> WeighTerms(std::string_view text,
                                                                 const RowView& view);
  // The rows whose texts together hold every word of the text (at least one), in order; also rows
  // that a view would hide.
  Result<std::vector<RowRange>> RowsWithAll(std::string_view text, const CallContext& context);

  // --- merging, one thread at a time
  // Merges once if it is worth it; returns whether it did. Stops early, with nothing done, once
  // `stop` is set.
  Result<bool> Maintain(const RowKeeper& keeper, const std::atomic<bool>& stop);
  // Merges everything published into one segment and leaves out all dead rows.
  Status Compact(const RowKeeper& keeper) {
    return Compact(keeper, [] { return false; });
  }
  // The same, given up as soon as `stopped` says so.
  Status Compact(const RowKeeper& keeper, const std::function<bool()>& stopped);
  // The index goes: when this returns nothing is written to it any more.
  void Drop();

  // Whether there are so many runs and segments that Maintain may find work.
  bool Due() const;
  // Whether it is loaded and an eighth of the rows or more lie beside the largest segment: searches
  // would be faster if it were compact.
  bool Scattered() const;
  // Whether what was merged is still read: Maintain removes it once it no longer is.
  bool WaitsForReaders() const { return retired_left_.load(std::memory_order_relaxed); }
  size_t segments() const;

 private:
  using Segments = std::vector<std::shared_ptr<const Segment>>;
  // What one search sees.
  struct Views {
    std::vector<SegmentView> segments;  // those with rows to see, large ones first
    uint64_t rows = 0;
    uint64_t words = 0;
  };

  Status EnsureLoaded();
  Status Load();
  Result<std::shared_ptr<const Segment>> MakeSegment(uint64_t id, bool run,
                                                     std::string_view rows) const;
  std::shared_ptr<const Segments> snapshot() const;
  Result<Views> View(const RowView& view);
  // Adds a query term: its list in each segment. Returns its inverse document frequency.
  static Result<double> AddTerm(const std::string& term, Views* views);
  static Status AddTerms(const ParsedQuery& parsed, Views* views, Scoring* scoring);
  static Status AddPhrases(const ParsedQuery& parsed, const CallContext& context, Views* views,
                           Scoring* scoring);
  static Status AddPrefixes(const ParsedQuery& parsed, const CallContext& context, Views* views,
                            Scoring* scoring);
  // The rows that are in `count` lists of their segment from the list `first` on.
  static Result<std::vector<RowRange>> CommonRows(const Views& views, size_t first, size_t count,
                                                  const CallContext& context);
  static void ScoreWanted(const Views& views, const Scoring& scoring, const Query& query,
                          Found* found);

  Result<std::vector<MergeInput>> ChooseInputs(const RowKeeper& keeper, bool everything,
                                               uint64_t* merged_at) const;
  Result<bool> MergeOnce(const RowKeeper& keeper, bool everything,
                         const std::function<bool()>& stopped) REQUIRES(merge_mutex_);
  Status Replace(const std::vector<MergeInput>& inputs, std::shared_ptr<const Segment> made)
      REQUIRES(merge_mutex_);
  // Writes the inputs as one segment and puts it in their place; false if it was stopped.
  Result<bool> MergeInto(const Segment::Spec& spec, const std::vector<MergeInput>& inputs,
                         const std::function<bool()>& stopped) REQUIRES(merge_mutex_);
  // Removes what a merge wrote that did not come to its end.
  Status DeleteUnfinished() REQUIRES(merge_mutex_);
  Status DeleteRetired() REQUIRES(merge_mutex_);

  const Shared shared_;
  const IndexName name_;
  const Language language_;
  Mutex merge_mutex_;  // held over a merge
  Mutex load_mutex_;   // held over the load
  std::atomic<bool> dropped_{false};
  mutable Mutex mutex_;
  bool loading_ GUARDED_BY(mutex_) = false;  // or loaded: runs that come are kept
  bool loaded_ GUARDED_BY(mutex_) = false;
  size_t unloaded_runs_ GUARDED_BY(mutex_) = 0;  // that came before
  std::shared_ptr<const Segments> segments_ GUARDED_BY(mutex_) = std::make_shared<Segments>();
  std::set<RowId> removed_ GUARDED_BY(mutex_);  // while loading: runs that the load may still see
  Segments retired_ GUARDED_BY(merge_mutex_);   // merged, and perhaps still read
  std::atomic<bool> retired_left_{false};       // retired_ is not empty
  // The number of the segment that a merge makes, until one succeeds (0: none yet), and whether
  // some of it may be stored. So merges that fail again and again leave nothing behind, or one part
  // of a segment as long as nothing can be written.
  uint64_t unfinished_ GUARDED_BY(merge_mutex_) = 0;
  bool unfinished_left_ GUARDED_BY(merge_mutex_) = false;
};

// How rare a term is.
double Bm25Idf(uint64_t rows, uint64_t rows_with_term);

}  // namespace ragstone::index::keywords

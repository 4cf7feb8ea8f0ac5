// The segments of a KeywordIndex: how they come, are found again and are merged.
#include <algorithm>
#include <chrono>
#include <thread>

#include "base/crash_point.h"
#include "index/internal/keys.h"
#include "index/internal/keywords/keyword_index.h"

namespace ragstone::index::keywords {
namespace {

// With this many runs and segments some are merged.
constexpr size_t kSegmentsMax = 8;
// A merge leaves at most this many.
constexpr size_t kSegmentsLeft = 5;
// A segment is written anew when this part of its rows is dead: 1 in kDeadShare.
constexpr uint64_t kDeadShare = 4;
// An index is compacted when there is time if this part of its rows is not in the largest segment.
constexpr uint64_t kScatteredShare = 8;
constexpr uint64_t kRowsMax = 1u << 30;  // of a segment
constexpr auto kWaitForReaders = std::chrono::milliseconds(1);

// The ids of the segments that have keys of this kind.
std::set<uint64_t> StoredIds(StoreIterator* it, IndexName name, KeyKind kind) {
  std::set<uint64_t> ids;
  const std::string prefix = KindKey(name, kind);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix);) {
    const Result<uint64_t> id = DecodeKeySuffix(it->key().substr(0, prefix.size() + 8));
    if (!id.ok()) break;
    ids.insert(*id);
    if (*id == UINT64_MAX) break;
    it->Seek(SegmentKey(name, kind, *id + 1));
  }
  return ids;
}

// How many of the segments with these numbers of rows, ascending, are merged: the small ones, as
// long as the next is not larger than all before it together. So a row is written again only when
// its segment doubles.
size_t CountToMerge(const std::vector<uint64_t>& rows) {
  uint64_t sum = 0;
  size_t count = 0;
  while (count < rows.size() && sum + rows[count] <= kRowsMax &&
         (count < 2 || rows[count] <= sum || rows.size() - count + 1 > kSegmentsLeft)) {
    sum += rows[count++];
  }
  return count;
}

}  // namespace

void KeywordIndex::Put(const RunBuilder& run, StoreBatch* batch) const {
  const RowId first = run.rows().row(0);
  batch->Put(Family::kPosting, SegmentKey(name_, KeyKind::kRunRows, first), run.rows().Encode());
  batch->Put(Family::kPosting, SegmentKey(name_, KeyKind::kRun, first), run.Encode());
}

void KeywordIndex::Added(const RunBuilder& run) {
  MutexLock lock(&mutex_);
  if (!loading_) {
    if (++unloaded_runs_ >= kSegmentsMax) shared_.work->Notify();
    return;
  }
  Segment::Spec spec{shared_.store, shared_.cache, name_, run.rows().row(0), /*run=*/true, 0};
  // A load between the write and this has found it already.
  const bool again = std::any_of(segments_->begin(), segments_->end(), [&](const auto& segment) {
    return segment->run() && segment->id() == spec.id;
  });
  if (again) return;
  auto segments = std::make_shared<Segments>(*segments_);
  segments->push_back(std::make_shared<Segment>(spec, run.rows()));
  segments_ = std::move(segments);
}

void KeywordIndex::Removed(RowId first) {
  MutexLock lock(&mutex_);
  if (!loading_) return;
  if (!loaded_) removed_.insert(first);
  auto segments = std::make_shared<Segments>(*segments_);
  std::erase_if(*segments,
                [&](const auto& segment) { return segment->run() && segment->id() == first; });
  segments_ = std::move(segments);
}

std::shared_ptr<const KeywordIndex::Segments> KeywordIndex::snapshot() const {
  MutexLock lock(&mutex_);
  return segments_;
}

size_t KeywordIndex::segments() const { return snapshot()->size(); }

bool KeywordIndex::Due() const {
  MutexLock lock(&mutex_);
  return loaded_ || unloaded_runs_ >= kSegmentsMax;
}

Status KeywordIndex::EnsureLoaded() {
  {
    MutexLock lock(&mutex_);
    if (loaded_) return OkStatus();
  }
  MutexLock load(&load_mutex_);
  {
    MutexLock lock(&mutex_);
    if (loaded_) return OkStatus();
    loading_ = true;  // from now on no run is missed
  }
  RETURN_IF_ERROR(Load());
  if (segments() >= kSegmentsMax) shared_.work->Notify();
  return OkStatus();
}

Status KeywordIndex::Load() {
  // What a merge or a removal left when it was cut off has lists but no table of rows. The iterator
  // of the lists is the older one, so that no run written meanwhile looks like that.
  const std::unique_ptr<StoreIterator> lists = shared_.store->NewIterator(Family::kPosting);
  const std::unique_ptr<StoreIterator> tables = shared_.store->NewIterator(Family::kPosting);
  Segments found;
  std::set<uint64_t> known[2];
  for (const bool run : {true, false}) {
    const std::string prefix = KindKey(name_, run ? KeyKind::kRunRows : KeyKind::kRows);
    for (tables->Seek(prefix); tables->ValidWithPrefix(prefix); tables->Next()) {
      ASSIGN_OR_RETURN(const uint64_t id, DecodeKeySuffix(tables->key()));
      ASSIGN_OR_RETURN(RowTable rows, RowTable::Decode(tables->value()));
      Segment::Spec spec{shared_.store, shared_.cache, name_, id, run, 0};
      if (rows.size() > 0) found.push_back(std::make_shared<Segment>(spec, std::move(rows)));
      known[run ? 1 : 0].insert(id);
    }
    RETURN_IF_ERROR(tables->status());
  }
  for (const KeyKind kind : {KeyKind::kRun, KeyKind::kList, KeyKind::kPositions}) {
    for (const uint64_t id : StoredIds(lists.get(), name_, kind)) {
      if (known[kind == KeyKind::kRun ? 1 : 0].count(id) > 0 || id == UINT64_MAX) continue;
      RETURN_IF_ERROR(shared_.store->DeleteRange(Family::kPosting, SegmentKey(name_, kind, id),
                                                 SegmentKey(name_, kind, id + 1)));
    }
    RETURN_IF_ERROR(lists->status());
  }
  MutexLock lock(&mutex_);
  auto segments = std::make_shared<Segments>(*segments_);  // runs that came meanwhile
  for (const std::shared_ptr<const Segment>& segment : found) {
    const bool again = std::any_of(segments_->begin(), segments_->end(), [&](const auto& other) {
      return other->run() == segment->run() && other->id() == segment->id();
    });
    const bool gone = segment->run() && removed_.count(segment->id()) > 0;
    if (!again && !gone) segments->push_back(segment);
  }
  segments_ = std::move(segments);
  removed_.clear();
  loaded_ = true;
  return OkStatus();
}

Result<std::vector<MergeInput>> KeywordIndex::ChooseInputs(const RowKeeper& keeper, bool everything,
                                                           uint64_t* merged_at) const {
  std::vector<MergeInput> inputs;
  const std::shared_ptr<const Segments> segments = snapshot();  // kept while it is read
  for (const std::shared_ptr<const Segment>& segment : *segments) {
    // A run with rows that are not published is its writer's, or the cleaner's.
    if (segment->run() && !keeper.Settled(segment->rows().ranges())) continue;
    inputs.push_back({segment, {}});
  }
  // After the rows were found published: views from here on see them or see that they are gone.
  ASSIGN_OR_RETURN(const std::unique_ptr<RowView> view, keeper.Now());
  *merged_at = view->position();
  std::sort(inputs.begin(), inputs.end(), [](const MergeInput& a, const MergeInput& b) {
    return a.segment->rows().size() < b.segment->rows().size();
  });
  const auto find_dead = [&](MergeInput* input) {
    input->dead = keeper.Dead(input->segment->rows().ranges());
  };
  if (everything || inputs.size() >= kSegmentsMax) {
    if (!everything) {
      std::vector<uint64_t> rows;
      for (const MergeInput& input : inputs) rows.push_back(input.segment->rows().size());
      inputs.resize(CountToMerge(rows));
    }
    for (MergeInput& input : inputs) find_dead(&input);
    const bool merged = inputs.size() == 1 && !inputs[0].segment->run() && inputs[0].dead.empty();
    if (merged || (!everything && inputs.size() < 2)) inputs.clear();
    return inputs;
  }
  for (MergeInput& input : inputs) {
    const uint64_t rows = input.segment->rows().size();
    if (input.segment->run() || input.segment->Hidden(*view)->rows * kDeadShare < rows) continue;
    find_dead(&input);
    if (CountRows(input.dead) * kDeadShare < rows) continue;
    return std::vector<MergeInput>{std::move(input)};
  }
  return std::vector<MergeInput>();
}

Status KeywordIndex::Replace(const std::vector<MergeInput>& inputs,
                             std::shared_ptr<const Segment> made) {
  // One write: after a crash there are the inputs or the new segment, never both.
  StoreBatch batch(shared_.store);
  if (made->rows().size() > 0) {
    batch.Put(Family::kPosting, SegmentKey(name_, KeyKind::kRows, made->id()),
              made->rows().Encode());
  }
  for (const MergeInput& input : inputs) {
    const KeyKind kind = input.segment->run() ? KeyKind::kRunRows : KeyKind::kRows;
    batch.Delete(Family::kPosting, SegmentKey(name_, kind, input.segment->id()));
  }
  CrashPoint("keywords.merge-written");
  RETURN_IF_ERROR(shared_.store->Write(&batch, /*sync=*/false));
  CrashPoint("keywords.merge-done");
  MutexLock lock(&mutex_);
  auto segments = std::make_shared<Segments>();
  for (const std::shared_ptr<const Segment>& segment : *segments_) {
    const bool merged = std::any_of(inputs.begin(), inputs.end(), [&](const MergeInput& input) {
      return input.segment == segment;
    });
    if (!merged) segments->push_back(segment);
  }
  if (made->rows().size() > 0) segments->push_back(std::move(made));
  segments_ = std::move(segments);
  // Searches that began before still read them.
  for (const MergeInput& input : inputs) retired_.push_back(input.segment);
  retired_left_.store(true, std::memory_order_relaxed);
  return OkStatus();
}

Status KeywordIndex::DeleteRetired() {
  Segments kept;
  for (const std::shared_ptr<const Segment>& segment : retired_) {
    if (segment.use_count() == 1) {
      CrashPoint("keywords.retired");
      // If that fails, they are tried again.
      RETURN_IF_ERROR(segment->Delete(shared_.store));
    } else {
      kept.push_back(segment);
    }
  }
  retired_ = std::move(kept);
  retired_left_.store(!retired_.empty(), std::memory_order_relaxed);
  return OkStatus();
}

Status KeywordIndex::DeleteUnfinished() {
  if (!unfinished_left_) return OkStatus();
  const Segment::Spec spec{shared_.store, shared_.cache, name_, unfinished_, /*run=*/false, 0};
  RETURN_IF_ERROR(Segment(spec, RowTable()).Delete(shared_.store));
  unfinished_left_ = false;
  return OkStatus();
}

Result<bool> KeywordIndex::MergeInto(const Segment::Spec& spec,
                                     const std::vector<MergeInput>& inputs,
                                     const std::function<bool()>& stopped) {
  ASSIGN_OR_RETURN(std::optional<RowTable> rows,
                   WriteMerged(shared_.store, name_, spec.id, inputs, stopped));
  if (!rows.has_value()) return false;
  RETURN_IF_ERROR(Replace(inputs, std::make_shared<Segment>(spec, *std::move(rows))));
  return true;
}

Result<bool> KeywordIndex::MergeOnce(const RowKeeper& keeper, bool everything,
                                     const std::function<bool()>& stopped) {
  RETURN_IF_ERROR(DeleteRetired());
  // What could not be removed when its merge failed, as when the disk is full.
  RETURN_IF_ERROR(DeleteUnfinished());
  uint64_t merged_at = 0;
  ASSIGN_OR_RETURN(const std::vector<MergeInput> inputs,
                   ChooseInputs(keeper, everything, &merged_at));
  if (inputs.empty()) return false;
  if (unfinished_ == 0) {
    ASSIGN_OR_RETURN(unfinished_, shared_.segment_ids->Take());
  }
  unfinished_left_ = true;
  const Result<bool> merged =
      MergeInto({shared_.store, shared_.cache, name_, unfinished_, /*run=*/false, merged_at},
                inputs, stopped);
  if (merged.ok() && *merged) {
    unfinished_ = 0;
    unfinished_left_ = false;
    return true;
  }
  const Status deleted = DeleteUnfinished();
  if (!merged.ok()) return merged;
  RETURN_IF_ERROR(deleted);
  return false;
}

Result<bool> KeywordIndex::Maintain(const RowKeeper& keeper, const std::atomic<bool>& stop) {
  MutexLock merge(&merge_mutex_);
  if (dropped_.load() || !Due()) return false;
  RETURN_IF_ERROR(EnsureLoaded());
  ASSIGN_OR_RETURN(const bool merged, MergeOnce(keeper, /*everything=*/false, [&] {
                     return stop.load(std::memory_order_relaxed) ||
                            dropped_.load(std::memory_order_relaxed);
                   }));
  if (merged) RETURN_IF_ERROR(DeleteRetired());
  return merged;
}

bool KeywordIndex::Scattered() const {
  const std::shared_ptr<const Segments> segments = snapshot();
  uint64_t rows = 0;
  uint64_t largest = 0;
  for (const std::shared_ptr<const Segment>& segment : *segments) {
    rows += segment->rows().size();
    largest = std::max<uint64_t>(largest, segment->rows().size());
  }
  MutexLock lock(&mutex_);
  return loaded_ && rows > largest && (rows - largest) * kScatteredShare >= rows;
}

Status KeywordIndex::Compact(const RowKeeper& keeper, const std::function<bool()>& stopped) {
  MutexLock merge(&merge_mutex_);
  const auto ended = [&] { return dropped_.load(std::memory_order_relaxed) || stopped(); };
  if (ended()) return OkStatus();
  RETURN_IF_ERROR(EnsureLoaded());
  RETURN_IF_ERROR(MergeOnce(keeper, /*everything=*/true, ended).status());
  for (;;) {
    RETURN_IF_ERROR(DeleteRetired());
    if (retired_.empty() || stopped()) return OkStatus();
    std::this_thread::sleep_for(kWaitForReaders);
  }
}

void KeywordIndex::Drop() {
  dropped_.store(true);
  MutexLock merge(&merge_mutex_);
}

}  // namespace ragstone::index::keywords

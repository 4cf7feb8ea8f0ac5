#include "index/internal/keywords/segment.h"

#include <atomic>

#include "index/internal/coding.h"
#include "index/internal/keys.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

// Numbers of objects in memory, so that a cache never takes one for another.
uint64_t NextNumber() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

uint32_t NextGeneration() {
  static std::atomic<uint32_t> next{1};
  uint32_t number = next.fetch_add(1, std::memory_order_relaxed);
  while (number == 0) number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

std::string NumberKey(uint64_t number) {
  std::string key;
  Encoder(&key).U64(number);
  return key;
}

struct PartName {
  std::string_view term;
  uint32_t part = 0;
};

// What a PartKey is of, which begins with `prefix` bytes of the segment's key.
Result<PartName> PartOf(std::string_view key, size_t prefix) {
  const size_t end = key.find('\0', prefix);
  if (end == std::string_view::npos || end == prefix || key.size() != end + 5) {
    return Corrupt("key of a keyword list");
  }
  return PartName{key.substr(prefix, end - prefix), Decoder(key.substr(end + 1)).U32()};
}

}  // namespace

std::string KindKey(IndexName name, KeyKind kind) {
  std::string key = CollectionKey(name.collection);
  Encoder out(&key);
  out.U8(static_cast<uint8_t>(name.field >> 8));
  out.U8(static_cast<uint8_t>(name.field));
  out.U8(static_cast<uint8_t>(kind));
  return key;
}

std::string SegmentKey(IndexName name, KeyKind kind, uint64_t segment) {
  std::string key = KindKey(name, kind);
  Encoder(&key).U64(segment);
  return key;
}

std::string PartKey(std::string_view segment_key, std::string_view term, uint32_t part) {
  std::string key(segment_key);
  key.append(term);
  key.push_back('\0');  // no term holds one, so no term's keys mix with a longer term's
  Encoder(&key).U32(part);
  return key;
}

Segment::Segment(const Spec& spec, RowTable rows)
    : spec_(spec), rows_(std::move(rows)), cache_prefix_(NumberKey(NextNumber())) {}

Result<std::shared_ptr<const Segment::RunBytes>> Segment::ReadRun() const {
  {
    MutexLock lock(&mutex_);
    std::shared_ptr<const RunBytes> known = run_bytes_.lock();
    if (known != nullptr) return known;
  }
  ASSIGN_OR_RETURN(std::optional<std::string> stored,
                   spec_.store->Get(Family::kPosting, SegmentKey(spec_.name, KeyKind::kRun, id())));
  if (!stored.has_value()) return std::shared_ptr<const RunBytes>();
  auto loaded = std::make_shared<RunBytes>();
  loaded->bytes = *std::move(stored);
  ASSIGN_OR_RETURN(loaded->reader, RunReader::Open(loaded->bytes));
  return std::shared_ptr<const RunBytes>(std::move(loaded));
}

Result<std::shared_ptr<const Segment::RunBytes>> Segment::LoadRun() const {
  ASSIGN_OR_RETURN(std::shared_ptr<const RunBytes> run, ReadRun());
  if (run == nullptr) return run;
  {
    MutexLock lock(&mutex_);
    if (run_bytes_.lock() == run) return run;
    run_bytes_ = run;
  }
  spec_.cache->KeepRun(run, sizeof(RunBytes) + run->bytes.capacity());
  return run;
}

Status Segment::ReadList(std::string_view term, PostingList* list) const {
  if (spec_.run) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const RunBytes> run, LoadRun());
    if (run == nullptr) return OkStatus();
    ASSIGN_OR_RETURN(const size_t place, run->reader.LowerBound(term));
    if (place == run->reader.size()) return OkStatus();
    ASSIGN_OR_RETURN(const RunReader::Term found, run->reader.At(place));
    return found.term == term ? list->AppendPart(found.list, rows_.size()) : OkStatus();
  }
  const std::string key = SegmentKey(spec_.name, KeyKind::kList, id());
  for (uint32_t part = 0;; ++part) {
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     spec_.store->Get(Family::kPosting, PartKey(key, term, part)));
    if (!stored.has_value()) return OkStatus();
    RETURN_IF_ERROR(list->AppendPart(*stored, rows_.size()));
    if (list->count() % kPartPostings != 0) return OkStatus();
  }
}

Result<std::shared_ptr<const LoadedList>> Segment::Find(std::string_view term) const {
  std::string key = cache_prefix_;
  key.append(term);
  std::shared_ptr<const LoadedList> known;
  if (spec_.cache->Find(key, &known)) return known;
  auto loaded = std::make_shared<LoadedList>();
  RETURN_IF_ERROR(ReadList(term, &loaded->list));
  if (loaded->list.count() > 0) known = std::move(loaded);
  spec_.cache->Insert(key, known);
  return known;
}

Status Segment::VisitRunPrefix(std::string_view prefix, const PartVisitor& visit) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const RunBytes> run, LoadRun());
  if (run == nullptr) return OkStatus();
  ASSIGN_OR_RETURN(size_t place, run->reader.LowerBound(prefix));
  for (; place < run->reader.size(); ++place) {
    ASSIGN_OR_RETURN(const RunReader::Term found, run->reader.At(place));
    if (found.term.substr(0, prefix.size()) != prefix) return OkStatus();
    PostingList list;
    RETURN_IF_ERROR(list.AppendPart(found.list, rows_.size()));
    RETURN_IF_ERROR(visit(found.term, list));
  }
  return OkStatus();
}

Status Segment::VisitPrefix(std::string_view prefix, const PartVisitor& visit) const {
  if (spec_.run) return VisitRunPrefix(prefix, visit);
  const std::string segment_key = SegmentKey(spec_.name, KeyKind::kList, id());
  const std::string begin = segment_key + std::string(prefix);
  const std::unique_ptr<StoreIterator> it = spec_.store->NewIterator(Family::kPosting);
  for (it->Seek(begin); it->ValidWithPrefix(begin); it->Next()) {
    ASSIGN_OR_RETURN(const PartName name, PartOf(it->key(), segment_key.size()));
    PostingList part;
    RETURN_IF_ERROR(part.AppendPart(it->value(), rows_.size()));
    RETURN_IF_ERROR(visit(name.term, part));
  }
  return it->status();
}

Result<std::string> Segment::Positions(std::string_view term, uint32_t part) const {
  if (spec_.run) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const RunBytes> run, LoadRun());
    if (run == nullptr) return Corrupt("list of word positions");
    ASSIGN_OR_RETURN(const size_t place, run->reader.LowerBound(term));
    if (place == run->reader.size()) return Corrupt("list of word positions");
    ASSIGN_OR_RETURN(const RunReader::Term found, run->reader.At(place));
    if (found.term != term || part != 0) return Corrupt("list of word positions");
    return std::string(found.positions);
  }
  const std::string key = PartKey(SegmentKey(spec_.name, KeyKind::kPositions, id()), term, part);
  ASSIGN_OR_RETURN(std::optional<std::string> stored, spec_.store->Get(Family::kPosting, key));
  if (!stored.has_value()) return Corrupt("list of word positions");
  return *std::move(stored);
}

std::shared_ptr<const HiddenRows> Segment::Hidden(const RowView& view) const {
  // What was merged is hidden for good once it is; a run may be published later.
  const bool keep = !spec_.run && view.epoch() != 0 && view.position() >= spec_.merged_at;
  if (keep) {
    MutexLock lock(&mutex_);
    if (hidden_ != nullptr && hidden_epoch_ == view.epoch()) return hidden_;
  }
  auto hidden = std::make_shared<HiddenRows>();
  hidden->ordinals = rows_.Ordinals(view.Hidden(rows_.ranges()));
  for (const RowRange& range : hidden->ordinals) {
    hidden->rows += range.count;
    for (uint64_t i = 0; i < range.count; ++i) {
      hidden->words += rows_.length(static_cast<uint32_t>(range.first + i));
    }
  }
  if (!keep) return hidden;
  MutexLock lock(&mutex_);
  // The same rows keep their generation, and with it what was counted for them.
  if (hidden_ == nullptr || hidden_->ordinals != hidden->ordinals) {
    hidden->generation = NextGeneration();
    hidden_ = std::move(hidden);
  }
  hidden_epoch_ = view.epoch();
  return hidden_;
}

void Segment::DeleteRun(IndexName name, RowId first, StoreBatch* batch) {
  batch->Delete(Family::kPosting, SegmentKey(name, KeyKind::kRunRows, first));
  batch->Delete(Family::kPosting, SegmentKey(name, KeyKind::kRun, first));
}

Status Segment::Delete(Store* store) const {
  StoreBatch batch(store);
  if (spec_.run) {
    DeleteRun(spec_.name, id(), &batch);
  } else {
    batch.Delete(Family::kPosting, SegmentKey(spec_.name, KeyKind::kRows, id()));
  }
  RETURN_IF_ERROR(store->Write(&batch, /*sync=*/false));
  if (spec_.run) return OkStatus();
  for (const KeyKind kind : {KeyKind::kList, KeyKind::kPositions}) {
    RETURN_IF_ERROR(store->DeleteRange(Family::kPosting, SegmentKey(spec_.name, kind, id()),
                                       SegmentKey(spec_.name, kind, id() + 1)));
  }
  return OkStatus();
}

class RunStream : public TermStream {
 public:
  RunStream(std::shared_ptr<const Segment::RunBytes> run, uint32_t rows)
      : run_(std::move(run)), rows_(rows) {}
  bool Valid() const override { return next_ > 0; }
  std::string_view term() const override { return found_.term; }
  const PostingList& list() const override { return list_; }
  std::string_view positions() const override { return found_.positions; }
  Status Next() override {
    if (run_ == nullptr || next_ == run_->reader.size()) {
      next_ = 0;
      run_ = nullptr;
      return OkStatus();
    }
    ASSIGN_OR_RETURN(found_, run_->reader.At(next_++));
    list_ = PostingList();
    return list_.AppendPart(found_.list, rows_);
  }

 private:
  std::shared_ptr<const Segment::RunBytes> run_;
  const uint32_t rows_;
  size_t next_ = 0;
  RunReader::Term found_;
  PostingList list_;
};

class MergedStream : public TermStream {
 public:
  explicit MergedStream(const Segment& segment)
      : rows_(segment.rows().size()),
        lists_prefix_(SegmentKey(segment.spec_.name, KeyKind::kList, segment.id())),
        positions_prefix_(SegmentKey(segment.spec_.name, KeyKind::kPositions, segment.id())),
        lists_(segment.spec_.store->NewIterator(Family::kPosting)),
        positions_it_(segment.spec_.store->NewIterator(Family::kPosting)) {
    lists_->Seek(lists_prefix_);
    positions_it_->Seek(positions_prefix_);
  }
  bool Valid() const override { return !term_.empty(); }
  std::string_view term() const override { return term_; }
  const PostingList& list() const override { return list_; }
  std::string_view positions() const override { return positions_; }
  Status Next() override {
    if (Valid()) lists_->Next();
    positions_ = {};
    if (!lists_->ValidWithPrefix(lists_prefix_)) {
      term_.clear();
      return lists_->status();
    }
    ASSIGN_OR_RETURN(const PartName name, PartOf(lists_->key(), lists_prefix_.size()));
    const bool same = name.term == term_;
    // Parts are counted from 0, and all but the last are full.
    if (name.part != (same ? part_ + 1 : 0)) return Corrupt("list of postings");
    if (same && list_.count() != kPartPostings) return Corrupt("list of postings");
    term_ = name.term;
    part_ = name.part;
    list_ = PostingList();
    RETURN_IF_ERROR(list_.AppendPart(lists_->value(), rows_));
    return HasPositions(term_) ? FindPositions() : OkStatus();
  }

 private:
  // Positions lie in the order of lists.
  Status FindPositions() {
    const std::string_view wanted = lists_->key().substr(lists_prefix_.size());
    const auto at = [this] { return positions_it_->key().substr(positions_prefix_.size()); };
    while (positions_it_->ValidWithPrefix(positions_prefix_) && at() < wanted) {
      positions_it_->Next();
    }
    RETURN_IF_ERROR(positions_it_->status());
    if (!positions_it_->ValidWithPrefix(positions_prefix_) || at() != wanted) {
      return Corrupt("list of word positions");
    }
    positions_ = positions_it_->value();
    return OkStatus();
  }

  const uint32_t rows_;
  const std::string lists_prefix_;
  const std::string positions_prefix_;
  const std::unique_ptr<StoreIterator> lists_;
  const std::unique_ptr<StoreIterator> positions_it_;
  std::string term_;
  uint32_t part_ = 0;
  PostingList list_;
  std::string_view positions_;
};

Result<std::unique_ptr<TermStream>> Segment::Terms() const {
  std::unique_ptr<TermStream> stream;
  if (spec_.run) {
    // Merging reads it once: the cache is for searches.
    ASSIGN_OR_RETURN(std::shared_ptr<const RunBytes> run, ReadRun());
    stream = std::make_unique<RunStream>(std::move(run), rows_.size());
  } else {
    stream = std::make_unique<MergedStream>(*this);
  }
  RETURN_IF_ERROR(stream->Next());
  return stream;
}

}  // namespace ragstone::index::keywords

#include "index/internal/keywords/merge.h"

#include <algorithm>

#include "index/internal/keys.h"
#include "index/internal/keywords/positions.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

constexpr size_t kBatchBytes = 1 << 20;
constexpr uint32_t kGone = UINT32_MAX;

Status Damaged() { return Corrupt("segment of keywords"); }

// Goes through the rows of one term in one input, in the order of their places in the new segment.
// Holds one stored part of the list at a time.
class InputList {
 public:
  InputList(std::unique_ptr<TermStream> stream, std::vector<uint32_t> places)
      : stream_(std::move(stream)), places_(std::move(places)) {}

  // Whether there is another term, and which.
  bool Valid() const { return stream_->Valid(); }
  std::string_view term() const { return stream_->term(); }

  // Goes to the first row of the term that stays. `term` must live until the list has ended; then
  // the stream is at the next term.
  Status Enter(const std::string* term) {
    term_ = term;
    next_ordinal_ = 0;
    ended_ = false;
    RETURN_IF_ERROR(OpenPart());
    return Settle();
  }
  Status Advance() {
    ++at_;
    return Settle();
  }
  bool ended() const { return ended_; }
  uint32_t place() const { return place_; }
  uint32_t frequency() const { return frequencies_[at_]; }
  std::string_view positions() const { return encoded_[at_]; }

 private:
  // Goes on from where it stands to a row that stays.
  Status Settle() {
    for (;;) {
      for (; at_ < count_; ++at_) {
        place_ = places_[ordinals_[at_]];
        if (place_ != kGone) return OkStatus();
      }
      if (++block_ < stream_->list().blocks().size()) {
        RETURN_IF_ERROR(ReadBlock());
        continue;
      }
      RETURN_IF_ERROR(stream_->Next());
      ended_ = !stream_->Valid() || stream_->term() != *term_;
      if (ended_) return OkStatus();
      RETURN_IF_ERROR(OpenPart());
    }
  }

  Status OpenPart() {
    if (HasPositions(*term_)) {
      ASSIGN_OR_RETURN(reader_, PositionReader::Open(stream_->positions()));
    }
    block_ = 0;
    return ReadBlock();
  }

  Status ReadBlock() {
    const PostingList& list = stream_->list();
    count_ = list.blocks()[block_].count;
    at_ = 0;
    list.DecodeOrdinals(block_, ordinals_);
    list.DecodeFrequencies(block_, frequencies_);
    if (ordinals_[0] < next_ordinal_) return Damaged();
    next_ordinal_ = uint64_t{ordinals_[count_ - 1]} + 1;
    if (!HasPositions(*term_)) return OkStatus();
    return reader_.ReadBlock(block_, {frequencies_, count_}, &encoded_);
  }

  const std::unique_ptr<TermStream> stream_;
  const std::vector<uint32_t> places_;  // the new place of each ordinal
  const std::string* term_ = nullptr;
  bool ended_ = true;
  uint32_t place_ = kGone;
  uint64_t next_ordinal_ = 0;  // no later posting is before
  PositionReader reader_;
  size_t block_ = 0;  // of the part
  size_t count_ = 0;
  size_t at_ = 0;  // in the block
  uint32_t ordinals_[kBlockSize];
  uint32_t frequencies_[kBlockSize];
  std::vector<std::string_view> encoded_;
};

// Merges term by term, and each term row by row, so that however long a list is, a part of it from
// each input and one of the new list are in memory.
class Merge {
 public:
  Merge(Store* store, IndexName name, uint64_t id)
      : batch_(store),
        store_(store),
        list_key_(SegmentKey(name, KeyKind::kList, id)),
        positions_key_(SegmentKey(name, KeyKind::kPositions, id)) {}

  Status Open(const std::vector<MergeInput>& inputs) {
    ASSIGN_OR_RETURN(std::vector<std::vector<uint32_t>> places, OrderRows(inputs));
    for (size_t i = 0; i < inputs.size(); ++i) {
      ASSIGN_OR_RETURN(std::unique_ptr<TermStream> terms, inputs[i].segment->Terms());
      inputs_.push_back(std::make_unique<InputList>(std::move(terms), std::move(places[i])));
    }
    bound_ = BoundOver(rows_);
    postings_.reserve(kPartPostings);
    return OkStatus();
  }

  // Merges the next term; false at the end.
  Result<bool> Step() {
    const InputList* least = nullptr;
    for (const auto& input : inputs_) {
      if (input->Valid() && (least == nullptr || input->term() < least->term())) {
        least = input.get();
      }
    }
    if (least == nullptr) {
      RETURN_IF_ERROR(store_->Write(&batch_, /*sync=*/false));
      return false;
    }
    const std::string term(least->term());
    RETURN_IF_ERROR(MergeTerm(term));
    return true;
  }

  RowTable TakeRows() { return std::move(rows_); }

 private:
  // Gives every row that stays its place in the new segment.
  Result<std::vector<std::vector<uint32_t>>> OrderRows(const std::vector<MergeInput>& inputs) {
    struct Live {
      RowRange rows;
      uint32_t input;
      uint32_t ordinal;  // of the first row
    };
    std::vector<Live> order;
    std::vector<std::vector<uint32_t>> places;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const RowTable& rows = inputs[i].segment->rows();
      places.emplace_back(rows.size(), kGone);
      for (const RowRange& range : Subtract(rows.ranges(), inputs[i].dead)) {
        order.push_back({range, static_cast<uint32_t>(i), *rows.ordinal(range.first)});
      }
    }
    std::sort(order.begin(), order.end(),
              [](const Live& a, const Live& b) { return a.rows.first < b.rows.first; });
    RowId next = 0;
    for (const Live& live : order) {
      // One row in two segments cannot be.
      if (live.rows.first < next) return Damaged();
      next = live.rows.first + live.rows.count;
      const RowTable& rows = inputs[live.input].segment->rows();
      for (uint32_t k = 0; k < live.rows.count; ++k) {
        places[live.input][live.ordinal + k] = rows_.size();
        rows_.Append(live.rows.first + k, rows.length(live.ordinal + k));
      }
    }
    return places;
  }

  Status MergeTerm(const std::string& term) {
    const auto later = [](const InputList* a, const InputList* b) {
      return a->place() > b->place();
    };
    active_.clear();
    for (const auto& input : inputs_) {
      if (!input->Valid() || input->term() != term) continue;
      RETURN_IF_ERROR(input->Enter(&term));
      if (!input->ended()) active_.push_back(input.get());
    }
    std::make_heap(active_.begin(), active_.end(), later);
    part_ = 0;
    while (!active_.empty()) {
      std::pop_heap(active_.begin(), active_.end(), later);
      InputList* least = active_.back();
      // Where another list has the next row.
      const uint32_t until = active_.size() > 1 ? active_.front()->place() : kGone;
      do {
        RETURN_IF_ERROR(Append(term, *least));
        RETURN_IF_ERROR(least->Advance());
      } while (!least->ended() && least->place() < until);
      if (least->ended()) {
        active_.pop_back();
      } else {
        std::push_heap(active_.begin(), active_.end(), later);
      }
    }
    return postings_.empty() ? OkStatus() : WritePart(term);
  }

  Status Append(const std::string& term, const InputList& from) {
    postings_.push_back({from.place(), from.frequency()});
    if (HasPositions(term)) positions_.Add(from.positions());
    return postings_.size() < kPartPostings ? OkStatus() : WritePart(term);
  }

  Status WritePart(const std::string& term) {
    batch_.Put(Family::kPosting, PartKey(list_key_, term, part_), EncodePart(postings_, bound_));
    if (HasPositions(term)) {
      batch_.Put(Family::kPosting, PartKey(positions_key_, term, part_), positions_.Finish());
    }
    ++part_;
    postings_.clear();
    positions_ = PositionEncoder();
    if (batch_.bytes() < kBatchBytes) return OkStatus();
    RETURN_IF_ERROR(store_->Write(&batch_, /*sync=*/false));
    batch_.Clear();
    return OkStatus();
  }

  StoreBatch batch_;
  Store* const store_;
  const std::string list_key_;
  const std::string positions_key_;
  std::vector<std::unique_ptr<InputList>> inputs_;
  std::vector<InputList*> active_;  // a heap of those in the term, by place
  RowTable rows_;
  BoundFunction bound_;
  // The part that is being made.
  uint32_t part_ = 0;
  std::vector<Posting> postings_;
  PositionEncoder positions_;
};

}  // namespace

Result<std::optional<RowTable>> WriteMerged(Store* store, IndexName name, uint64_t id,
                                            const std::vector<MergeInput>& inputs,
                                            const std::function<bool()>& stopped) {
  Merge merge(store, name, id);
  RETURN_IF_ERROR(merge.Open(inputs));
  for (bool more = true; more;) {
    if (stopped()) return std::optional<RowTable>();
    ASSIGN_OR_RETURN(more, merge.Step());
  }
  return std::optional<RowTable>(merge.TakeRows());
}

}  // namespace ragstone::index::keywords

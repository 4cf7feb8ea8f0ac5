#include "index/internal/keywords/merge.h"

#include <algorithm>

#include "index/internal/keys.h"
#include "index/internal/keywords/positions.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

constexpr size_t kBatchBytes = 1 << 20;
constexpr uint32_t kGone = UINT32_MAX;

// One posting on its way to the new segment.
struct Moved {
  Posting posting;
  std::string_view positions;
};

class Merge {
 public:
  Merge(Store* store, IndexName name, uint64_t id)
      : batch_(store),
        store_(store),
        list_key_(SegmentKey(name, KeyKind::kList, id)),
        positions_key_(SegmentKey(name, KeyKind::kPositions, id)) {}

  Status Open(const std::vector<MergeInput>& inputs) {
    OrderRows(inputs);
    for (const MergeInput& input : inputs) {
      ASSIGN_OR_RETURN(std::unique_ptr<TermStream> terms, input.segment->Terms());
      streams_.push_back(std::move(terms));
    }
    bound_ = BoundOver(rows_);
    return OkStatus();
  }

  // Merges the next term; false at the end.
  Result<bool> Step() {
    const TermStream* least = nullptr;
    for (const auto& stream : streams_) {
      if (stream->Valid() && (least == nullptr || stream->term() < least->term())) {
        least = stream.get();
      }
    }
    if (least == nullptr) {
      RETURN_IF_ERROR(store_->Write(&batch_, /*sync=*/false));
      return false;
    }
    const std::string term(least->term());
    moved_.clear();
    for (size_t i = 0; i < streams_.size(); ++i) {
      if (streams_[i]->Valid() && streams_[i]->term() == term) RETURN_IF_ERROR(Take(i, term));
    }
    RETURN_IF_ERROR(WriteTerm(term));
    for (const auto& stream : streams_) {
      if (stream->Valid() && stream->term() == term) RETURN_IF_ERROR(stream->Next());
    }
    return true;
  }

  RowTable TakeRows() { return std::move(rows_); }

 private:
  // Gives every row that stays its place in the new segment.
  void OrderRows(const std::vector<MergeInput>& inputs) {
    struct Row {
      RowId row;
      uint32_t input;
      uint32_t ordinal;
    };
    std::vector<Row> order;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const RowTable& rows = inputs[i].segment->rows();
      places_.emplace_back(rows.size(), kGone);
      for (const RowRange& range : Subtract(rows.ranges(), inputs[i].dead)) {
        const uint32_t first = *rows.ordinal(range.first);
        for (uint32_t k = 0; k < range.count; ++k) {
          order.push_back({range.first + k, static_cast<uint32_t>(i), first + k});
        }
      }
    }
    std::sort(order.begin(), order.end(), [](const Row& a, const Row& b) { return a.row < b.row; });
    for (const Row& row : order) {
      places_[row.input][row.ordinal] = rows_.size();
      rows_.Append(row.row, inputs[row.input].segment->rows().length(row.ordinal));
    }
  }

  // Adds what one stream has of the term.
  Status Take(size_t i, std::string_view term) {
    const TermStream& stream = *streams_[i];
    const PostingList& list = stream.list();
    const bool with_positions = HasPositions(term);
    std::optional<PositionReader> reader;
    uint32_t ordinals[kBlockSize];
    uint32_t frequencies[kBlockSize];
    constexpr size_t kPartBlocks = kPartPostings / kBlockSize;
    for (size_t block = 0; block < list.blocks().size(); ++block) {
      const size_t count = list.blocks()[block].count;
      list.DecodeOrdinals(block, ordinals);
      list.DecodeFrequencies(block, frequencies);
      if (with_positions) {
        if (block % kPartBlocks == 0) {
          if (block / kPartBlocks >= stream.positions().size()) return Damaged();
          ASSIGN_OR_RETURN(reader, PositionReader::Open(stream.positions()[block / kPartBlocks]));
        }
        RETURN_IF_ERROR(reader->ReadBlock(block % kPartBlocks, {frequencies, count}, &encoded_));
      }
      for (size_t k = 0; k < count; ++k) {
        const uint32_t place = places_[i][ordinals[k]];
        if (place == kGone) continue;
        moved_.push_back(
            {{place, frequencies[k]}, with_positions ? encoded_[k] : std::string_view()});
      }
    }
    return OkStatus();
  }

  Status WriteTerm(const std::string& term) {
    const auto before = [](const Moved& a, const Moved& b) {
      return a.posting.ordinal < b.posting.ordinal;
    };
    if (!std::is_sorted(moved_.begin(), moved_.end(), before)) {
      std::sort(moved_.begin(), moved_.end(), before);
    }
    for (size_t i = 0; i < moved_.size(); i += kPartPostings) {
      const size_t end = std::min(moved_.size(), i + kPartPostings);
      const uint32_t part = static_cast<uint32_t>(i / kPartPostings);
      postings_.clear();
      PositionEncoder positions;
      for (size_t k = i; k < end; ++k) {
        // One row in two segments cannot be.
        if (k > 0 && moved_[k].posting.ordinal == moved_[k - 1].posting.ordinal) return Damaged();
        postings_.push_back(moved_[k].posting);
        if (HasPositions(term)) positions.Add(moved_[k].positions);
      }
      batch_.Put(Family::kPosting, PartKey(list_key_, term, part), EncodePart(postings_, bound_));
      if (HasPositions(term)) {
        batch_.Put(Family::kPosting, PartKey(positions_key_, term, part), positions.Finish());
      }
    }
    if (batch_.bytes() < kBatchBytes) return OkStatus();
    RETURN_IF_ERROR(store_->Write(&batch_, /*sync=*/false));
    batch_.Clear();
    return OkStatus();
  }

  static Status Damaged() { return Corrupt("segment of keywords"); }

  StoreBatch batch_;
  Store* const store_;
  const std::string list_key_;
  const std::string positions_key_;
  std::vector<std::unique_ptr<TermStream>> streams_;
  std::vector<std::vector<uint32_t>> places_;  // by input: the new place of each ordinal
  RowTable rows_;
  BoundFunction bound_;
  std::vector<Moved> moved_;
  std::vector<Posting> postings_;
  std::vector<std::string_view> encoded_;
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

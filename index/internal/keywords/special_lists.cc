#include "index/internal/keywords/special_lists.h"

#include <algorithm>

#include "base/hash.h"
#include "index/internal/keywords/list_cursor.h"
#include "index/internal/keywords/positions.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

constexpr size_t kPrefixTermsMax = 16'384;
// How many blocks of postings pass between two looks at the deadline.
constexpr size_t kCheckBlocks = 64;
// Sums over terms use an array over all rows once they hold one posting for so many rows.
constexpr size_t kSparseShare = 4;
constexpr uint32_t kFrequencyMax = 1u << 30;

// Makes a list of postings in order, part by part.
class ListBuilder {
 public:
  explicit ListBuilder(const RowTable& rows) : rows_(rows), bound_(BoundOver(rows)) {}

  Status Add(const Posting& posting) {
    part_.push_back(posting);
    return part_.size() < kPartPostings ? OkStatus() : Flush();
  }
  Result<std::shared_ptr<const LoadedList>> Finish() {
    if (!part_.empty()) RETURN_IF_ERROR(Flush());
    return std::shared_ptr<const LoadedList>(std::move(made_));
  }

 private:
  Status Flush() {
    if (made_ == nullptr) made_ = std::make_shared<LoadedList>();
    RETURN_IF_ERROR(made_->list.AppendPart(EncodePart(part_, bound_), rows_.size()));
    part_.clear();
    return OkStatus();
  }

  const RowTable& rows_;
  const BoundFunction bound_;
  std::vector<Posting> part_;
  std::shared_ptr<LoadedList> made_;
};

// Looks at the deadline now and then.
class Pace {
 public:
  explicit Pace(const CallContext& context) : context_(context) {}
  Status Advance(size_t blocks) {
    done_ += blocks;
    if (done_ < kCheckBlocks) return OkStatus();
    done_ = 0;
    return context_.Check();
  }

 private:
  const CallContext& context_;
  size_t done_ = 0;
};

// Whether rows in ascending order are hidden.
class HiddenCursor {
 public:
  explicit HiddenCursor(const HiddenRows& hidden) : ranges_(hidden.ordinals) {}
  bool Hides(uint32_t ordinal) {
    while (at_ < ranges_.size() && ranges_[at_].first + ranges_[at_].count <= ordinal) ++at_;
    return at_ < ranges_.size() && ranges_[at_].first <= ordinal;
  }

 private:
  const std::vector<RowRange>& ranges_;
  size_t at_ = 0;
};

// One term of a phrase.
class PhraseTerm {
 public:
  PhraseTerm(const Segment& segment, std::string term, std::shared_ptr<const LoadedList> list)
      : segment_(segment),
        term_(std::move(term)),
        list_(std::move(list)),
        cursor_(std::make_unique<ListCursor>(&list_->list)) {}

  uint32_t count() const { return list_->list.count(); }
  const PostingList& list() const { return list_->list; }
  bool Has(uint32_t ordinal) {
    cursor_->JumpToBlock(ordinal);
    at_ = cursor_->Find(ordinal);
    return at_ != kBlockSize;
  }
  // Of the row that Has was true for.
  Status ReadPositions() {
    constexpr size_t kPartBlocks = kPartPostings / kBlockSize;
    const size_t block = cursor_->block();
    if (block != block_) {
      if (block / kPartBlocks != part_) {
        part_ = block / kPartBlocks;
        ASSIGN_OR_RETURN(bytes_, segment_.Positions(term_, static_cast<uint32_t>(part_)));
        ASSIGN_OR_RETURN(reader_, PositionReader::Open(bytes_));
      }
      RETURN_IF_ERROR(reader_.ReadBlock(
          block % kPartBlocks, {cursor_->frequencies(), list().blocks()[block].count}, &encoded_));
      block_ = block;
    }
    DecodePositions(encoded_[at_], &positions_);
    return OkStatus();
  }
  const std::vector<uint32_t>& positions() const { return positions_; }

 private:
  const Segment& segment_;
  const std::string term_;
  const std::shared_ptr<const LoadedList> list_;
  const std::unique_ptr<ListCursor> cursor_;
  size_t at_ = kBlockSize;
  size_t part_ = SIZE_MAX;
  size_t block_ = SIZE_MAX;
  std::string bytes_;
  PositionReader reader_;
  std::vector<std::string_view> encoded_;
  std::vector<uint32_t> positions_;
};

uint32_t CountPhrases(const std::vector<std::unique_ptr<PhraseTerm>>& terms) {
  uint32_t count = 0;
  for (const uint32_t begin : terms[0]->positions()) {
    bool all = true;
    for (size_t i = 1; i < terms.size() && all; ++i) {
      const std::vector<uint32_t>& places = terms[i]->positions();
      all = std::binary_search(places.begin(), places.end(), begin + static_cast<uint32_t>(i));
    }
    count += all ? 1 : 0;
  }
  return count;
}

// Adds up the frequencies of several terms by row. However many terms there are, it holds at most
// four bytes for each row of the segment, or eight for each posting while those are few.
class Sums {
 public:
  explicit Sums(uint32_t rows) : rows_(rows) {}

  void Add(const PostingList& list) {
    uint32_t ordinals[kBlockSize];
    uint32_t frequencies[kBlockSize];
    for (size_t block = 0; block < list.blocks().size(); ++block) {
      const size_t count = list.blocks()[block].count;
      list.DecodeOrdinals(block, ordinals);
      list.DecodeFrequencies(block, frequencies);
      if (by_row_.empty() && few_.size() + count > rows_ / kSparseShare) Spread();
      for (size_t i = 0; i < count; ++i) {
        if (by_row_.empty()) {
          few_.push_back({ordinals[i], frequencies[i]});
        } else {
          AddTo(&by_row_[ordinals[i]], frequencies[i]);
        }
      }
    }
  }

  // After the last Add, before Next.
  void Finish() {
    std::sort(few_.begin(), few_.end(),
              [](const Posting& a, const Posting& b) { return a.ordinal < b.ordinal; });
    size_t sums = 0;
    for (size_t i = 0; i < few_.size(); ++i) {
      if (sums > 0 && few_[sums - 1].ordinal == few_[i].ordinal) {
        AddTo(&few_[sums - 1].frequency, few_[i].frequency);
      } else {
        few_[sums++] = few_[i];
      }
    }
    few_.resize(sums);
  }
  // The next row with a sum; false at the end.
  bool Next(Posting* posting) {
    if (by_row_.empty()) {
      if (at_ == few_.size()) return false;
      *posting = few_[at_++];
      return true;
    }
    while (at_ < by_row_.size() && by_row_[at_] == 0) ++at_;
    if (at_ == by_row_.size()) return false;
    *posting = {static_cast<uint32_t>(at_), by_row_[at_]};
    ++at_;
    return true;
  }

 private:
  static void AddTo(uint32_t* sum, uint32_t frequency) {
    *sum = static_cast<uint32_t>(std::min<uint64_t>(uint64_t{*sum} + frequency, kFrequencyMax));
  }
  void Spread() {
    by_row_.resize(rows_);
    for (const Posting& posting : few_) AddTo(&by_row_[posting.ordinal], posting.frequency);
    std::vector<Posting>().swap(few_);
  }

  const uint32_t rows_;
  std::vector<Posting> few_;
  std::vector<uint32_t> by_row_;  // empty until there are many
  size_t at_ = 0;
};

// Whether what a term is of begins with the prefix, as far as the term tells.
bool Begins(std::string_view term, std::string_view prefix) {
  if (term.substr(0, prefix.size()) == prefix) return true;
  const std::string_view known = KnownPart(term);
  return known.size() < term.size() && prefix.substr(0, known.size()) == known;
}

// The beginning of a prefix that no cut term lacks.
std::string_view Sought(std::string_view prefix) {
  size_t size = std::min(prefix.size(), kTermKeptMin);
  while (size < prefix.size() && (static_cast<uint8_t>(prefix[size]) & 0xc0) == 0x80) --size;
  return prefix.substr(0, size);
}

Status AddPrefix(const ListSource& source, std::string_view prefix, PrefixTerms* terms,
                 Sums* sums) {
  Pace pace(source.context);
  const auto add = [&](std::string_view term, const PostingList& part) -> Status {
    RETURN_IF_ERROR(pace.Advance(part.blocks().size()));
    if (!Begins(term, prefix)) return OkStatus();
    RETURN_IF_ERROR(terms->Add(prefix, term));
    sums->Add(part);
    return OkStatus();
  };
  RETURN_IF_ERROR(source.segment.VisitPrefix(Sought(prefix), add));
  sums->Finish();
  return OkStatus();
}

}  // namespace

Status PrefixTerms::Add(std::string_view prefix, std::string_view term) {
  std::unordered_set<uint64_t>& seen = seen_[term[0] == kFoldedMark ? 1 : 0];
  seen.insert(FastHash(term));
  if (seen.size() <= kPrefixTermsMax) return OkStatus();
  if (prefix[0] == kFoldedMark || prefix[0] == kExactMark) prefix.remove_prefix(1);
  return InvalidArgument(Reason::kLimitExceeded, "more than " + std::to_string(kPrefixTermsMax) +
                                                     " words begin with \"" + std::string(prefix) +
                                                     "\"; give more of the word before its star");
}

Result<std::shared_ptr<const LoadedList>> PhraseList(const ListSource& source,
                                                     const std::vector<std::string>& terms) {
  std::vector<std::unique_ptr<PhraseTerm>> members;
  for (const std::string& term : terms) {
    ASSIGN_OR_RETURN(std::shared_ptr<const LoadedList> list, source.segment.Find(term));
    if (list == nullptr) return std::shared_ptr<const LoadedList>();
    members.push_back(std::make_unique<PhraseTerm>(source.segment, term, std::move(list)));
  }
  const PhraseTerm* rarest = members[0].get();
  for (const auto& member : members) {
    if (member->count() < rarest->count()) rarest = member.get();
  }
  Pace pace(source.context);
  HiddenCursor hides(source.hidden);
  ListBuilder found(source.segment.rows());
  uint32_t candidates[kBlockSize];
  for (size_t block = 0; block < rarest->list().blocks().size(); ++block) {
    RETURN_IF_ERROR(pace.Advance(members.size()));
    rarest->list().DecodeOrdinals(block, candidates);
    for (size_t i = 0; i < rarest->list().blocks()[block].count; ++i) {
      const uint32_t ordinal = candidates[i];
      const bool all = std::all_of(members.begin(), members.end(),
                                   [&](const auto& member) { return member->Has(ordinal); });
      if (!all || hides.Hides(ordinal)) continue;
      for (const auto& member : members) RETURN_IF_ERROR(member->ReadPositions());
      const uint32_t count = CountPhrases(members);
      if (count > 0) RETURN_IF_ERROR(found.Add({ordinal, count}));
    }
  }
  return found.Finish();
}

Result<std::shared_ptr<const LoadedList>> PrefixList(const ListSource& source,
                                                     std::string_view prefix, PrefixTerms* terms) {
  const RowTable& rows = source.segment.rows();
  Sums plain(rows.size());
  Sums folded(rows.size());
  RETURN_IF_ERROR(AddPrefix(source, prefix, terms, &plain));
  if (prefix[0] != kExactMark) {
    RETURN_IF_ERROR(AddPrefix(source, kFoldedMark + std::string(prefix), terms, &folded));
  }
  HiddenCursor hides(source.hidden);
  ListBuilder found(rows);
  Posting a;
  Posting b;
  bool more_a = plain.Next(&a);
  bool more_b = folded.Next(&b);
  while (more_a || more_b) {
    Posting next = more_a && (!more_b || a.ordinal <= b.ordinal) ? a : b;
    // A word whose stem begins with the prefix as well is in both.
    if (more_a && more_b && a.ordinal == b.ordinal) {
      next.frequency = std::max(a.frequency, b.frequency);
    }
    if (!hides.Hides(next.ordinal)) RETURN_IF_ERROR(found.Add(next));
    if (more_a && a.ordinal == next.ordinal) more_a = plain.Next(&a);
    if (more_b && b.ordinal == next.ordinal) more_b = folded.Next(&b);
  }
  return found.Finish();
}

Status AppendCommonRows(const Segment& segment,
                        std::span<const std::shared_ptr<const LoadedList>> lists,
                        const CallContext& context, std::vector<RowId>* rows) {
  const PostingList* rarest = nullptr;
  std::vector<std::unique_ptr<ListCursor>> others;
  for (const std::shared_ptr<const LoadedList>& list : lists) {
    if (list == nullptr) return OkStatus();
    if (rarest == nullptr || list->list.count() < rarest->count()) rarest = &list->list;
  }
  if (rarest == nullptr) return OkStatus();
  for (const std::shared_ptr<const LoadedList>& list : lists) {
    if (&list->list != rarest) others.push_back(std::make_unique<ListCursor>(&list->list));
  }
  Pace pace(context);
  uint32_t candidates[kBlockSize];
  for (size_t block = 0; block < rarest->blocks().size(); ++block) {
    RETURN_IF_ERROR(pace.Advance(lists.size()));
    rarest->DecodeOrdinals(block, candidates);
    for (size_t i = 0; i < rarest->blocks()[block].count; ++i) {
      const bool all = std::all_of(others.begin(), others.end(), [&](const auto& cursor) {
        cursor->JumpToBlock(candidates[i]);
        return cursor->Find(candidates[i]) != kBlockSize;
      });
      if (all) rows->push_back(segment.rows().row(candidates[i]));
    }
  }
  return OkStatus();
}

}  // namespace ragstone::index::keywords

#include "index/internal/keywords/special_lists.h"

#include <algorithm>

#include "index/internal/keywords/list_cursor.h"
#include "index/internal/keywords/positions.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

constexpr size_t kPrefixTermsMax = 16'384;

Result<std::shared_ptr<const LoadedList>> MakeList(const Segment& segment,
                                                   std::span<const Posting> postings) {
  if (postings.empty()) return std::shared_ptr<const LoadedList>();
  auto made = std::make_shared<LoadedList>();
  const BoundFunction bound = BoundOver(segment.rows());
  for (size_t i = 0; i < postings.size(); i += kPartPostings) {
    const size_t count = std::min(kPartPostings, postings.size() - i);
    RETURN_IF_ERROR(made->list.AppendPart(EncodePart(postings.subspan(i, count), bound),
                                          segment.rows().size()));
  }
  return std::shared_ptr<const LoadedList>(std::move(made));
}

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

// Adds up the frequencies of postings of several terms, by row.
class Union {
 public:
  void Add(const PostingList& list) { list.DecodeAll(&postings_); }
  std::vector<Posting> Take() {
    std::sort(postings_.begin(), postings_.end(),
              [](const Posting& a, const Posting& b) { return a.ordinal < b.ordinal; });
    std::vector<Posting> sums;
    for (const Posting& posting : postings_) {
      if (!sums.empty() && sums.back().ordinal == posting.ordinal) {
        sums.back().frequency += posting.frequency;
      } else {
        sums.push_back(posting);
      }
    }
    return sums;
  }

 private:
  std::vector<Posting> postings_;
};

Status AddPrefix(const Segment& segment, const std::string& prefix, Union* found) {
  size_t terms = 0;
  RETURN_IF_ERROR(segment.VisitPrefix(prefix, [&](std::string_view /*term*/, PostingList list) {
    found->Add(list);
    return ++terms <= kPrefixTermsMax;
  }));
  if (terms <= kPrefixTermsMax) return OkStatus();
  return InvalidArgument(Reason::kLimitExceeded, "more than " + std::to_string(kPrefixTermsMax) +
                                                     " words begin with \"" + prefix +
                                                     "\"; give more of the word before its star");
}

}  // namespace

Result<std::shared_ptr<const LoadedList>> PhraseList(const Segment& segment,
                                                     const std::vector<std::string>& terms,
                                                     const HiddenRows& hidden) {
  std::vector<std::unique_ptr<PhraseTerm>> members;
  for (const std::string& term : terms) {
    ASSIGN_OR_RETURN(std::shared_ptr<const LoadedList> list, segment.Find(term));
    if (list == nullptr) return std::shared_ptr<const LoadedList>();
    members.push_back(std::make_unique<PhraseTerm>(segment, term, std::move(list)));
  }
  const PhraseTerm* rarest = members[0].get();
  for (const auto& member : members) {
    if (member->count() < rarest->count()) rarest = member.get();
  }
  std::vector<Posting> candidates;
  rarest->list().DecodeAll(&candidates);
  HiddenCursor hides(hidden);
  std::vector<Posting> found;
  for (const Posting& candidate : candidates) {
    bool all = true;
    for (size_t i = 0; i < members.size() && all; ++i) all = members[i]->Has(candidate.ordinal);
    if (!all || hides.Hides(candidate.ordinal)) continue;
    for (const auto& member : members) RETURN_IF_ERROR(member->ReadPositions());
    const uint32_t count = CountPhrases(members);
    if (count > 0) found.push_back({candidate.ordinal, count});
  }
  return MakeList(segment, found);
}

Result<std::shared_ptr<const LoadedList>> PrefixList(const Segment& segment,
                                                     std::string_view prefix,
                                                     const HiddenRows& hidden) {
  Union plain;
  Union folded;
  RETURN_IF_ERROR(AddPrefix(segment, std::string(prefix), &plain));
  if (prefix[0] != kExactMark) {
    RETURN_IF_ERROR(AddPrefix(segment, kFoldedMark + std::string(prefix), &folded));
  }
  // A word whose stem begins with the prefix as well is in both.
  std::vector<Posting> found;
  const std::vector<Posting> a = plain.Take();
  const std::vector<Posting> b = folded.Take();
  HiddenCursor hides(hidden);
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    Posting next;
    if (j == b.size() || (i < a.size() && a[i].ordinal < b[j].ordinal)) {
      next = a[i++];
    } else if (i == a.size() || b[j].ordinal < a[i].ordinal) {
      next = b[j++];
    } else {
      next = {a[i].ordinal, std::max(a[i].frequency, b[j].frequency)};
      ++i;
      ++j;
    }
    if (!hides.Hides(next.ordinal)) found.push_back(next);
  }
  return MakeList(segment, found);
}

}  // namespace ragstone::index::keywords

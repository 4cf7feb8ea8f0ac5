#include "index/internal/keywords/run.h"

#include <algorithm>
#include <cmath>

#include "index/internal/coding.h"
#include "index/internal/keys.h"
#include "index/internal/keywords/positions.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

constexpr uint8_t kFormat = 1;
// Between two texts of a row.
constexpr uint32_t kTextGap = 100;

Status Damaged() { return Corrupt("keywords of a batch"); }

}  // namespace

BoundFunction BoundOver(const RowTable& rows) {
  return [&rows, mean = rows.length_mean()](const Posting& posting) {
    const double part = FrequencyPart(posting.frequency, rows.length(posting.ordinal), mean);
    return static_cast<uint8_t>(std::min(255.0, std::ceil(part * 255 * (1 + 1e-12))));
  };
}

void RunBuilder::AddTerm(const std::string& term, uint32_t ordinal, uint32_t position) {
  Term& entry = terms_[term];
  if (entry.postings.empty() || entry.postings.back().ordinal != ordinal) {
    entry.postings.push_back({ordinal, 0});
    entry.ends.push_back(entry.positions.size());
    entry.last = 0;
  }
  ++entry.postings.back().frequency;
  if (!HasPositions(term)) return;
  Encoder(&entry.positions).Varint(position - entry.last);
  entry.last = position;
  entry.ends.back() = entry.positions.size();
}

Result<uint32_t> RunBuilder::Add(RowId row, std::span<const std::string_view> texts) {
  const uint32_t ordinal = rows_.size();
  if (ordinal >= kPartPostings) {
    return Internal("a run of keywords holds 8192 rows; begin another one");
  }
  uint32_t length = 0;
  uint32_t position = 0;
  for (const std::string_view text : texts) {
    ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(text, language_));
    const auto add = [&](const TextWord& word) {
      AddTerm(word.term, ordinal, position);
      if (word.folded != word.term) {
        AddTerm(BoundedTerm(kFoldedMark + word.folded), ordinal, position);
      }
    };
    size_t part = 0;
    for (size_t i = 0; i < split.words.size(); ++i, ++position) {
      add(split.words[i]);
      for (; part < split.parts.size() && split.parts[part].word == i; ++part) {
        add(split.parts[part].part);
      }
    }
    for (const std::string& exact : split.exact) AddTerm(exact, ordinal, position);
    length += static_cast<uint32_t>(split.words.size());
    position += kTextGap;
  }
  rows_.Append(row, length);
  return length;
}

std::string RunBuilder::Encode() const {
  std::vector<const std::pair<const std::string, Term>*> sorted;
  sorted.reserve(terms_.size());
  for (const auto& entry : terms_) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  std::string head;
  std::string entries;
  Encoder offsets(&head);
  Encoder out(&entries);
  offsets.U8(kFormat);
  offsets.Varint(sorted.size());
  const BoundFunction bound = BoundOver(rows_);
  for (const auto* entry : sorted) {
    offsets.U32(static_cast<uint32_t>(entries.size()));
    out.String(entry->first);
    out.String(EncodePart(entry->second.postings, bound));
    if (!HasPositions(entry->first)) {
      out.String("");
      continue;
    }
    PositionEncoder positions;
    size_t begin = 0;
    for (const size_t end : entry->second.ends) {
      positions.Add(std::string_view(entry->second.positions).substr(begin, end - begin));
      begin = end;
    }
    out.String(positions.Finish());
  }
  return head + entries;
}

Result<RunReader> RunReader::Open(std::string_view bytes) {
  Decoder in(bytes);
  RunReader reader;
  if (in.U8() != kFormat) return Damaged();
  reader.offsets_ = in.Bytes(in.Count(4) * 4);
  reader.entries_ = in.Bytes(in.remaining());
  if (!in.done()) return Damaged();
  return reader;
}

Result<RunReader::Term> RunReader::At(size_t i) const {
  const uint32_t offset = Decoder(offsets_.substr(i * 4)).U32();
  if (offset > entries_.size()) return Damaged();
  Decoder in(entries_.substr(offset));
  Term term;
  term.term = in.String();
  term.list = in.String();
  term.positions = in.String();
  if (!in.ok() || term.term.empty()) return Damaged();
  return term;
}

Result<size_t> RunReader::LowerBound(std::string_view term) const {
  size_t low = 0;
  size_t high = size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    ASSIGN_OR_RETURN(const Term found, At(middle));
    if (found.term < term) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace ragstone::index::keywords

#include "index/internal/fields/row_set.h"

#include <algorithm>
#include <stdexcept>

namespace ragstone::index::fields {
namespace {

// Fewer rows are sorted; more go through a bitmap of their whole span if that is not too wide.
constexpr size_t kSortedRowsMax = 512;
constexpr size_t kWordsPerRowMax = 8;

Roaring RowsOfSorted(std::span<const uint32_t> rows) {
  Roaring out;
  out.addMany(rows.size(), rows.data());
  return out;
}

// Sorts distinct rows by marking each in a bitmap of their span.
void SortByMarks(uint32_t low, size_t words, std::vector<uint32_t>* rows) {
  std::vector<uint64_t> marks(words);
  for (const uint32_t row : *rows) marks[(row - low) / 64] |= uint64_t{1} << ((row - low) % 64);
  rows->clear();
  for (size_t word = 0; word < words; ++word) {
    for (uint64_t bits = marks[word]; bits != 0; bits &= bits - 1) {
      rows->push_back(low + static_cast<uint32_t>(word * 64 + std::countr_zero(bits)));
    }
  }
}

}  // namespace

void RowSet::AddRange(RowId first, uint64_t count) {
  const RowId end = first + count;
  while (first < end) {
    const RowId stop = HighOf(first) == HighOf(end) ? end : (first | 0xffffffff) + 1;
    parts_[HighOf(first)].addRange(LowOf(first), uint64_t{LowOf(first)} + (stop - first));
    first = stop;
  }
}

void RowSet::AddAll(uint32_t high, Roaring rows) {
  Roaring& part = parts_[high];
  if (part.isEmpty()) {
    part = std::move(rows);
  } else {
    part |= rows;
  }
}

bool RowSet::Contains(RowId row) const {
  const auto part = parts_.find(HighOf(row));
  return part != parts_.end() && part->second.contains(LowOf(row));
}

uint64_t RowSet::Count() const {
  uint64_t count = 0;
  for (const auto& [high, rows] : parts_) count += rows.cardinality();
  return count;
}

bool RowSet::empty() const {
  return std::all_of(parts_.begin(), parts_.end(),
                     [](const auto& part) { return part.second.isEmpty(); });
}

RowSet& RowSet::operator|=(const RowSet& other) {
  for (const auto& [high, rows] : other.parts_) parts_[high] |= rows;
  return *this;
}

RowSet& RowSet::operator&=(const RowSet& other) {
  for (auto part = parts_.begin(); part != parts_.end();) {
    const auto same = other.parts_.find(part->first);
    if (same == other.parts_.end()) {
      part = parts_.erase(part);
    } else {
      part->second &= same->second;
      ++part;
    }
  }
  return *this;
}

RowSet& RowSet::operator-=(const RowSet& other) {
  for (auto& [high, rows] : parts_) {
    const auto same = other.parts_.find(high);
    if (same != other.parts_.end()) rows -= same->second;
  }
  return *this;
}

bool RowSet::operator==(const RowSet& other) const { return ToVector() == other.ToVector(); }

std::vector<RowId> RowSet::ToVector() const {
  std::vector<RowId> out;
  out.reserve(Count());
  std::vector<uint32_t> lows;
  for (const auto& [high, rows] : parts_) {
    lows.resize(rows.cardinality());
    rows.toUint32Array(lows.data());
    for (const uint32_t low : lows) out.push_back((uint64_t{high} << 32) | low);
  }
  return out;
}

Roaring RowsOf(std::span<const uint32_t> rows) {
  if (std::is_sorted(rows.begin(), rows.end())) return RowsOfSorted(rows);
  std::vector<uint32_t> sorted(rows.begin(), rows.end());
  const auto [low, high] = std::minmax_element(sorted.begin(), sorted.end());
  const size_t words = (*high - *low) / 64 + size_t{1};
  if (sorted.size() <= kSortedRowsMax || words > sorted.size() * kWordsPerRowMax) {
    std::sort(sorted.begin(), sorted.end());
  } else {
    SortByMarks(*low, words, &sorted);
  }
  return RowsOfSorted(sorted);
}

size_t MemoryBytes(const Roaring& rows) { return sizeof(Roaring) + rows.getSizeInBytes(false); }

void EncodeRows(const Roaring& rows, Encoder* out) {
  std::string bytes(rows.getSizeInBytes(true), '\0');
  rows.write(bytes.data(), true);
  out->String(bytes);
}

Roaring DecodeRows(Decoder* in) {
  const std::string_view bytes = in->String();
  if (!in->ok()) return {};
  try {
    Roaring rows = Roaring::readSafe(bytes.data(), bytes.size());
    if (rows.getSizeInBytes(true) != bytes.size()) in->Fail();
    return rows;
  } catch (const std::runtime_error&) {
    in->Fail();
    return {};
  }
}

}  // namespace ragstone::index::fields

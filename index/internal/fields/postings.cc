#include "index/internal/fields/postings.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "index/internal/fields/row_set.h"

namespace ragstone::index::fields {
namespace {

// Under so many entries a union is made from the lists alone.
constexpr uint32_t kCutEntriesMin = 2048;
constexpr uint32_t kBins = 32;
// Up to so many values each begin at a cut. More would take more memory than the lists.
constexpr uint32_t kCutValuesMax = 64;

static_assert(std::endian::native == std::endian::little, "arrays are stored as they lie");

template <typename T>
void EncodeRaw(std::span<const T> values, Encoder* out) {
  out->Varint(values.size());
  out->Bytes({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

template <typename T>
std::vector<T> DecodeRaw(Decoder* in) {
  std::vector<T> values(in->Count(sizeof(T)));
  const std::string_view bytes = in->Bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

void EncodeArray(std::span<const uint32_t> values, Encoder* out) { EncodeRaw(values, out); }
std::vector<uint32_t> DecodeArray32(Decoder* in) { return DecodeRaw<uint32_t>(in); }
void EncodeArray(std::span<const int64_t> values, Encoder* out) { EncodeRaw(values, out); }
std::vector<int64_t> DecodeArray64(Decoder* in) { return DecodeRaw<int64_t>(in); }

Postings::Postings(std::vector<uint32_t> starts, std::vector<uint32_t> rows)
    : starts_(std::move(starts)), rows_(std::move(rows)) {
  all_ = RowsOf(rows_);
  single_ = all_.cardinality() == rows_.size();
  ChooseCuts();
  BuildBitmaps(rows_);
  all_.runOptimize();
  all_.shrinkToFit();
  const bool every_value = cuts_.size() == starts_.size() && !cuts_.empty();
  if (every_value) std::vector<uint32_t>().swap(rows_);
  rows_.shrink_to_fit();
  starts_.shrink_to_fit();
}

void Postings::ChooseCuts() {
  if (entries() < kCutEntriesMin) return;
  if (values() <= kCutValuesMax) {
    cuts_ = starts_;
    return;
  }
  const uint32_t bin = std::max(kCutEntriesMin, entries() / kBins);
  cuts_.push_back(0);
  for (uint32_t value = 0; value < values(); ++value) {
    const uint32_t begin = starts_[value];
    const uint32_t end = starts_[value + 1];
    // A frequent value gets a cut at both ends, so that it alone costs no mending.
    if (end - begin >= bin && begin > cuts_.back()) cuts_.push_back(begin);
    if (end - cuts_.back() >= bin) cuts_.push_back(end);
  }
  if (cuts_.back() < entries()) cuts_.push_back(entries());
}

void Postings::BuildBitmaps(std::span<const uint32_t> rows) {
  if (cuts_.empty()) return;
  if (single_) bitmaps_.emplace_back();
  for (size_t i = 0; i + 1 < cuts_.size(); ++i) {
    Roaring bin = RowsOf(rows.subspan(cuts_[i], cuts_[i + 1] - cuts_[i]));
    if (single_) bin |= bitmaps_.back();
    bitmaps_.push_back(std::move(bin));
  }
  for (Roaring& bitmap : bitmaps_) {
    bitmap.runOptimize();
    bitmap.shrinkToFit();
  }
}

std::span<const uint32_t> Postings::Slice(uint32_t begin, uint32_t end) const {
  return std::span(rows_).subspan(begin, end - begin);
}

size_t Postings::NearestCut(uint32_t position) const {
  const auto above = std::lower_bound(cuts_.begin(), cuts_.end(), position);
  if (above == cuts_.begin() || *above == position)
    return static_cast<size_t>(above - cuts_.begin());
  const auto below = above - 1;
  const auto nearest = *above - position < position - *below ? above : below;
  return static_cast<size_t>(nearest - cuts_.begin());
}

// The rows of the entries [begin, end) of single-valued lists.
Roaring Postings::Difference(uint32_t begin, uint32_t end) const {
  const size_t from = NearestCut(begin);
  const size_t to = NearestCut(end);
  if (from >= to) return RowsOf(Slice(begin, end));
  Roaring out = bitmaps_[to];
  if (from > 0) out -= bitmaps_[from];
  if (begin < cuts_[from]) out |= RowsOf(Slice(begin, cuts_[from]));
  if (begin > cuts_[from]) out -= RowsOf(Slice(cuts_[from], begin));
  if (end > cuts_[to]) out |= RowsOf(Slice(cuts_[to], end));
  if (end < cuts_[to]) out -= RowsOf(Slice(end, cuts_[to]));
  return out;
}

// The same where rows stand in several lists.
Roaring Postings::Bins(uint32_t begin, uint32_t end) const {
  const auto from = std::lower_bound(cuts_.begin(), cuts_.end(), begin);
  const auto to = std::upper_bound(cuts_.begin(), cuts_.end(), end) - 1;
  // Neither end is in another bin: the entries themselves, which no cut divides. With a cut at
  // every value there is always one at both ends.
  if (from >= to) return RowsOf(Slice(begin, end));
  std::vector<const Roaring*> bins;
  for (auto cut = from; cut < to; ++cut) bins.push_back(&bitmaps_[cut - cuts_.begin()]);
  Roaring out = Roaring::fastunion(bins.size(), bins.data());
  if (begin < *from) out |= RowsOf(Slice(begin, *from));
  if (end > *to) out |= RowsOf(Slice(*to, end));
  return out;
}

Roaring Postings::Union(uint32_t first, uint32_t last) const {
  if (first >= last) return {};
  const uint32_t begin = starts_[first];
  const uint32_t end = starts_[last];
  if (begin == end) return {};
  if (end - begin == entries()) return all_;
  if (cuts_.empty()) return RowsOf(Slice(begin, end));
  return single_ ? Difference(begin, end) : Bins(begin, end);
}

Roaring Postings::UnionOf(std::span<const uint32_t> values) const {
  Roaring out;
  std::vector<uint32_t> rare;  // rows of lists too short for a bitmap each
  for (size_t i = 0; i < values.size();) {
    size_t end = i + 1;
    while (end < values.size() && values[end] == values[end - 1] + 1) ++end;
    const uint32_t first = values[i];
    const uint32_t last = values[end - 1] + 1;
    if (rows_.empty() || Entries(first, last) >= kCutEntriesMin) {
      out |= Union(first, last);
    } else {
      const auto slice = Slice(starts_[first], starts_[last]);
      rare.insert(rare.end(), slice.begin(), slice.end());
    }
    i = end;
  }
  if (!rare.empty()) out |= RowsOf(rare);
  return out;
}

std::vector<uint32_t> Postings::AllRows() const {
  if (!rows_.empty() || entries() == 0) return rows_;
  std::vector<uint32_t> rows(entries());
  for (uint32_t value = 0; value < values(); ++value) {
    Union(value, value + 1).toUint32Array(rows.data() + starts_[value]);
  }
  return rows;
}

size_t Postings::MemoryBytes() const {
  size_t bytes = (starts_.capacity() + rows_.capacity() + cuts_.capacity()) * sizeof(uint32_t);
  bytes += fields::MemoryBytes(all_);
  for (const Roaring& bitmap : bitmaps_) bytes += fields::MemoryBytes(bitmap);
  return bytes;
}

void Postings::Encode(Encoder* out) const {
  EncodeArray(std::span<const uint32_t>(starts_), out);
  EncodeArray(std::span<const uint32_t>(rows_), out);
  EncodeArray(std::span<const uint32_t>(cuts_), out);
  out->U8(single_ ? 1 : 0);
  EncodeRows(all_, out);
  for (const Roaring& bitmap : bitmaps_) EncodeRows(bitmap, out);
}

Postings Postings::Decode(Decoder* in) {
  Postings out;
  out.starts_ = DecodeArray32(in);
  out.rows_ = DecodeArray32(in);
  out.cuts_ = DecodeArray32(in);
  out.single_ = in->U8() == 1;
  out.all_ = DecodeRows(in);
  const size_t bitmaps = out.cuts_.empty() ? 0 : out.cuts_.size() - (out.single_ ? 0 : 1);
  for (size_t i = 0; i < bitmaps && in->ok(); ++i) out.bitmaps_.push_back(DecodeRows(in));
  if (!in->ok() || !out.Consistent()) {
    in->Fail();
    return {};
  }
  return out;
}

// Whether positions lie within the lists, so that no method reads beyond them.
bool Postings::Consistent() const {
  if (starts_.empty() || starts_[0] != 0) return false;
  // Every value has a row.
  const auto not_above = [](uint32_t a, uint32_t b) { return a >= b; };
  if (std::adjacent_find(starts_.begin(), starts_.end(), not_above) != starts_.end()) return false;
  if (rows_.size() != entries() && !(rows_.empty() && cuts_ == starts_)) return false;
  if (all_.cardinality() > entries() || single_ != (all_.cardinality() == entries())) return false;
  if (cuts_.empty()) return true;
  if (cuts_.front() != 0 || cuts_.back() != entries()) return false;
  if (!std::is_sorted(cuts_.begin(), cuts_.end())) return false;
  for (size_t i = 0; i < bitmaps_.size(); ++i) {
    const uint64_t count = bitmaps_[i].cardinality();
    const uint64_t expected = single_ ? cuts_[i] : cuts_[i + 1] - cuts_[i];
    if (count > expected) return false;
    if ((single_ || rows_.empty()) && count != expected) return false;
    // Lists without rows of their own are differences of these, of the counts that were checked
    // only if each lies within the next.
    const bool last = i + 1 == bitmaps_.size();
    if (!bitmaps_[i].isSubset(single_ && !last ? bitmaps_[i + 1] : all_)) return false;
  }
  return true;
}

}  // namespace ragstone::index::fields

#include "index/internal/keywords/posting_list.h"

#include <algorithm>

#include "index/internal/coding.h"
#include "index/internal/keys.h"

namespace ragstone::index::keywords {
namespace {

constexpr uint8_t kFormat = 1;

Status Damaged() { return Corrupt("list of postings"); }

const uint8_t* Bytes(const std::string& bytes, size_t place) {
  return reinterpret_cast<const uint8_t*>(bytes.data()) + place;
}

uint8_t BoundOf(std::span<const Posting> postings, const BoundFunction& bound) {
  uint8_t most = 0;
  for (const Posting& posting : postings) most = std::max(most, bound(posting));
  return most;
}

// Writes the head of a full block to `head` and its numbers to `data`.
void EncodeBlock(const Posting* postings, uint32_t next, Encoder* head, std::string* data) {
  uint32_t gaps[kBlockSize];
  uint32_t frequencies[kBlockSize];
  for (size_t i = 0; i < kBlockSize; ++i) {
    gaps[i] = postings[i].ordinal - next;
    frequencies[i] = postings[i].frequency - 1;
    next = postings[i].ordinal + 1;
  }
  const uint32_t ordinal_bits = BitsFor(gaps);
  const uint32_t frequency_bits = BitsFor(frequencies);
  head->U8(static_cast<uint8_t>(ordinal_bits));
  head->U8(static_cast<uint8_t>(frequency_bits));
  const size_t place = data->size();
  data->resize(place + PackedBytes(ordinal_bits) + PackedBytes(frequency_bits));
  uint8_t* out = reinterpret_cast<uint8_t*>(data->data()) + place;
  PackBlock(gaps, ordinal_bits, out);
  PackBlock(frequencies, frequency_bits, out + PackedBytes(ordinal_bits));
}

}  // namespace

std::string EncodePart(std::span<const Posting> postings, const BoundFunction& bound) {
  std::string bytes;
  std::string data;
  Encoder head(&bytes);
  Encoder tail(&data);
  head.U8(kFormat);
  head.Varint(postings.size());
  uint32_t next = postings.front().ordinal;
  head.Varint(next);
  size_t i = 0;
  for (; i + kBlockSize <= postings.size(); i += kBlockSize) {
    head.U8(BoundOf(postings.subspan(i, kBlockSize), bound));
    EncodeBlock(postings.data() + i, next, &head, &data);
    next = postings[i + kBlockSize - 1].ordinal + 1;
  }
  if (i < postings.size()) head.U8(BoundOf(postings.subspan(i), bound));
  for (; i < postings.size(); ++i) {
    const uint64_t gap = postings[i].ordinal - next;
    const bool once = postings[i].frequency == 1;
    tail.Varint(gap << 1 | (once ? 1 : 0));
    if (!once) tail.Varint(postings[i].frequency);
    next = postings[i].ordinal + 1;
  }
  return bytes + data;
}

Status PostingList::AppendPart(std::string_view bytes, uint32_t rows) {
  Decoder in(bytes);
  if (in.U8() != kFormat) return Damaged();
  const uint64_t count = in.Varint();
  uint64_t next = in.Varint();
  if (!in.ok() || count == 0 || count > kPartPostings) return Damaged();
  // Blocks follow blocks: a short one can only be the last.
  if (!blocks_.empty() && (blocks_.back().count < kBlockSize || next <= blocks_.back().last)) {
    return Damaged();
  }
  const size_t first_block = blocks_.size();
  for (size_t i = 0; i < count / kBlockSize; ++i) {
    Block block;
    block.count = kBlockSize;
    block.bound = in.U8();
    block.ordinal_bits = in.U8();
    block.frequency_bits = in.U8();
    if (!in.ok() || block.ordinal_bits > 32 || block.frequency_bits > 31) return Damaged();
    blocks_.push_back(block);
  }
  Block tail;
  tail.count = static_cast<uint8_t>(count % kBlockSize);
  if (tail.count > 0) tail.bound = in.U8();
  for (size_t i = first_block; i < blocks_.size(); ++i) {
    if (!ReadBlock(&in, rows, &next, &blocks_[i])) return Damaged();
  }
  if (tail.count > 0) {
    if (!ReadTail(&in, rows, next, &tail)) return Damaged();
    blocks_.push_back(tail);
  }
  if (!in.done()) return Damaged();
  count_ += static_cast<uint32_t>(count);
  return OkStatus();
}

bool PostingList::ReadBlock(Decoder* in, uint32_t rows, uint64_t* next, Block* block) {
  const std::string_view packed =
      in->Bytes(PackedBytes(block->ordinal_bits) + PackedBytes(block->frequency_bits));
  if (!in->ok() || *next >= rows) return false;
  block->place = static_cast<uint32_t>(bytes_.size());
  block->first = static_cast<uint32_t>(*next);
  bytes_.append(packed);
  uint32_t gaps[kBlockSize];
  UnpackBlock(Bytes(bytes_, block->place), block->ordinal_bits, gaps);
  for (const uint32_t gap : gaps) *next += uint64_t{gap} + 1;
  if (*next > rows) return false;
  block->last = static_cast<uint32_t>(*next - 1);
  bound_ = std::max(bound_, block->bound);
  return true;
}

bool PostingList::ReadTail(Decoder* in, uint32_t rows, uint64_t next, Block* block) {
  block->place = static_cast<uint32_t>(shorts_.size());
  block->first = static_cast<uint32_t>(std::min<uint64_t>(next, UINT32_MAX));
  for (size_t i = 0; i < block->count; ++i) {
    const uint64_t gap = in->Varint();
    const uint32_t frequency = (gap & 1) != 0 ? 1 : in->Varint32();
    if (!in->ok() || frequency == 0 || gap >> 1 >= rows || next + (gap >> 1) >= rows) return false;
    next += gap >> 1;
    shorts_.push_back({static_cast<uint32_t>(next), frequency});
    block->last = static_cast<uint32_t>(next);
    ++next;
  }
  bound_ = std::max(bound_, block->bound);
  return true;
}

void PostingList::DecodeOrdinals(size_t block, uint32_t* ordinals) const {
  const Block& from = blocks_[block];
  if (from.count < kBlockSize) {
    for (size_t i = 0; i < from.count; ++i) ordinals[i] = shorts_[from.place + i].ordinal;
    return;
  }
  UnpackBlock(Bytes(bytes_, from.place), from.ordinal_bits, ordinals);
  uint32_t next = from.first;
  for (size_t i = 0; i < kBlockSize; ++i) {
    next += ordinals[i];
    ordinals[i] = next++;
  }
}

void PostingList::DecodeFrequencies(size_t block, uint32_t* frequencies) const {
  const Block& from = blocks_[block];
  if (from.count < kBlockSize) {
    for (size_t i = 0; i < from.count; ++i) frequencies[i] = shorts_[from.place + i].frequency;
    return;
  }
  UnpackBlock(Bytes(bytes_, from.place + PackedBytes(from.ordinal_bits)), from.frequency_bits,
              frequencies);
  for (size_t i = 0; i < kBlockSize; ++i) ++frequencies[i];
}

void PostingList::DecodeAll(std::vector<Posting>* out) const {
  uint32_t ordinals[kBlockSize];
  uint32_t frequencies[kBlockSize];
  for (size_t block = 0; block < blocks_.size(); ++block) {
    DecodeOrdinals(block, ordinals);
    DecodeFrequencies(block, frequencies);
    for (size_t i = 0; i < blocks_[block].count; ++i) out->push_back({ordinals[i], frequencies[i]});
  }
}

uint32_t PostingList::CountBefore(uint32_t ordinal) const {
  const auto it =
      std::lower_bound(blocks_.begin(), blocks_.end(), ordinal,
                       [](const Block& block, uint32_t value) { return block.last < value; });
  const size_t block = static_cast<size_t>(it - blocks_.begin());
  // Only the last block is short.
  const uint32_t before = static_cast<uint32_t>(block * kBlockSize);
  if (it == blocks_.end()) return count_;
  if (ordinal <= it->first) return before;
  uint32_t ordinals[kBlockSize];
  DecodeOrdinals(block, ordinals);
  return before + static_cast<uint32_t>(std::lower_bound(ordinals, ordinals + it->count, ordinal) -
                                        ordinals);
}

uint32_t PostingList::CountBetween(uint32_t begin, uint32_t end) const {
  return begin >= end ? 0 : CountBefore(end) - CountBefore(begin);
}

}  // namespace ragstone::index::keywords

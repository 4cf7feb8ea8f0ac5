#include "index/internal/keywords/positions.h"

#include "index/internal/coding.h"
#include "index/internal/keys.h"
#include "index/internal/keywords/bit_packing.h"

namespace ragstone::index::keywords {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kVarintBytesMax = 5;

Status Damaged() { return Corrupt("list of word positions"); }

}  // namespace

void PositionEncoder::Add(std::string_view encoded) {
  if (postings_++ % kBlockSize == 0) sizes_.push_back(0);
  sizes_.back() += encoded.size();
  data_.append(encoded);
}

std::string PositionEncoder::Finish() {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.Varint(sizes_.size());
  for (const size_t size : sizes_) out.Varint(size);
  return bytes + data_;
}

Result<PositionReader> PositionReader::Open(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) return Damaged();
  std::vector<uint64_t> sizes(in.Count(1));
  for (uint64_t& size : sizes) size = in.Varint();
  PositionReader reader;
  for (const uint64_t size : sizes) reader.blocks_.push_back(in.Bytes(size));
  if (!in.done()) return Damaged();
  return reader;
}

Status PositionReader::ReadBlock(size_t block, std::span<const uint32_t> frequencies,
                                 std::vector<std::string_view>* encoded) const {
  encoded->clear();
  if (block >= blocks_.size()) return Damaged();
  const std::string_view bytes = blocks_[block];
  size_t at = 0;
  for (const uint32_t frequency : frequencies) {
    const size_t begin = at;
    for (uint32_t i = 0; i < frequency; ++i) {
      const size_t number = at;
      while (at < bytes.size() && (static_cast<uint8_t>(bytes[at]) & 0x80) != 0) ++at;
      if (at >= bytes.size() || at - number >= kVarintBytesMax) return Damaged();
      ++at;
    }
    encoded->push_back(bytes.substr(begin, at - begin));
  }
  return at == bytes.size() ? OkStatus() : Damaged();
}

void DecodePositions(std::string_view encoded, std::vector<uint32_t>* positions) {
  positions->clear();
  Decoder in(encoded);
  uint64_t position = 0;
  while (in.remaining() > 0) {
    position += in.Varint();
    positions->push_back(static_cast<uint32_t>(position));
  }
}

}  // namespace ragstone::index::keywords

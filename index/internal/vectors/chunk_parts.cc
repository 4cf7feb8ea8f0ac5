#include "index/internal/vectors/chunk_parts.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "index/internal/coding.h"

namespace ragstone::index::vectors {
namespace {

constexpr size_t kFrameBytes = 4 + 1 + 8 + 4 + 8;  // magic, version, stamp, number, checksum

}  // namespace

Status DamagedIndex(const std::string& what) {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the stored vector index is damaged (" + what + "); it is built again");
}

std::string PartWriter::Framed(uint32_t number, std::string_view payload) const {
  std::string chunk;
  chunk.reserve(payload.size() + kFrameBytes);
  Encoder encoder(&chunk);
  encoder.U32(format_.magic);
  encoder.U8(format_.version);
  encoder.U64(stamp_);
  encoder.U32(number);
  encoder.Bytes(payload);
  encoder.U64(FastHash(chunk));
  return chunk;
}

Status PartWriter::WriteHeader(std::string_view payload) {
  return sink_->Put(0, Framed(0, payload));
}

Status PartWriter::WriteBytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t taken = std::min(bytes.size(), kPayloadMax - payload_.size());
    payload_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (payload_.size() == kPayloadMax) RETURN_IF_ERROR(Flush());
  }
  return OkStatus();
}

Status PartWriter::Flush() {
  if (payload_.empty()) return OkStatus();
  RETURN_IF_ERROR(sink_->Put(number_, Framed(number_, payload_)));
  ++number_;
  payload_.clear();
  return OkStatus();
}

Result<std::string> PartReader::ReadHeader() { return Payload(0, &stamp_); }

Status PartReader::ReadBytes(char* to, size_t size) {
  while (size > 0) {
    if (at_ == payload_.size()) {
      uint64_t stamp = 0;
      ASSIGN_OR_RETURN(payload_, Payload(number_, &stamp));
      if (stamp != stamp_) return DamagedIndex("a chunk of another index");
      if (payload_.empty()) return DamagedIndex("an empty chunk");
      ++number_;
      at_ = 0;
    }
    const size_t taken = std::min(size, payload_.size() - at_);
    std::memcpy(to, payload_.data() + at_, taken);
    at_ += taken;
    to += taken;
    size -= taken;
  }
  return OkStatus();
}

Result<std::vector<RowId>> PartReader::ReadRowIds(uint64_t rows) {
  std::vector<RowId> ids;
  while (ids.size() < rows) {
    const uint64_t read = ids.size();
    ids.resize(std::min<uint64_t>(rows, read + PartWriter::kPayloadMax / sizeof(RowId)));
    RETURN_IF_ERROR(Read(std::span<RowId>(ids).subspan(read)));
  }
  return ids;
}

Result<std::string> PartReader::Payload(uint32_t number, uint64_t* stamp) const {
  ASSIGN_OR_RETURN(std::string chunk, source_.Get(number));
  if (chunk.size() < kFrameBytes || chunk.size() > PartWriter::kPayloadMax + kFrameBytes) {
    return DamagedIndex("the size of a chunk");
  }
  const std::string_view covered(chunk.data(), chunk.size() - 8);
  if (Decoder(std::string_view(chunk).substr(covered.size())).U64() != FastHash(covered)) {
    return DamagedIndex("a checksum");
  }
  Decoder frame(covered);
  if (frame.U32() != format_.magic || frame.U8() != format_.version) {
    return DamagedIndex("an unknown version");
  }
  *stamp = frame.U64();
  if (frame.U32() != number) return DamagedIndex("the order of chunks");
  return std::string(frame.Bytes(frame.remaining()));
}

}  // namespace ragstone::index::vectors

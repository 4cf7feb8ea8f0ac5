#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "index/internal/vectors/segment_io.h"

namespace ragstone::index::vectors {

static_assert(std::endian::native == std::endian::little, "parts are stored as they are in memory");

// What chunks hold, and in which version of it.
struct ChunkFormat {
  uint32_t magic = 0;
  uint8_t version = 0;
};

// DATA_LOSS (DATA_CORRUPT).
Status DamagedIndex(const std::string& what);

// Cuts the parts of a stored index into chunks, the first of which is its header. A chunk is:
// magic, version, stamp, number, payload, XXH3 of all that.
class PartWriter {
 public:
  static constexpr size_t kPayloadMax = size_t{1} << 20;

  PartWriter(const ChunkFormat& format, uint64_t stamp, ChunkSink* sink)
      : format_(format), stamp_(stamp), sink_(sink) {}

  // First of all.
  Status WriteHeader(std::string_view payload);
  template <typename T>
  Status Write(std::span<const T> values) {
    return WriteBytes({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  Status WriteBytes(std::string_view bytes);
  // Last of all.
  Status Flush();

 private:
  std::string Framed(uint32_t number, std::string_view payload) const;

  const ChunkFormat format_;
  const uint64_t stamp_;
  ChunkSink* const sink_;
  uint32_t number_ = 1;
  std::string payload_;
};

// Reads what PartWriter wrote. DATA_LOSS (DATA_CORRUPT) for anything else.
class PartReader {
 public:
  PartReader(const ChunkFormat& format, const ChunkSource& source)
      : format_(format), source_(source) {}

  // First of all.
  Result<std::string> ReadHeader();
  // Which the header said.
  uint64_t stamp() const { return stamp_; }
  template <typename T>
  Status Read(std::span<T> values) {
    return ReadBytes(reinterpret_cast<char*>(values.data()), values.size_bytes());
  }
  Status ReadBytes(char* to, size_t size);
  // The numbers of so many rows. Memory comes piece by piece, so that a wrong count ends at the
  // missing chunk.
  Result<std::vector<RowId>> ReadRowIds(uint64_t rows);

 private:
  Result<std::string> Payload(uint32_t number, uint64_t* stamp) const;

  const ChunkFormat format_;
  const ChunkSource& source_;
  uint64_t stamp_ = 0;
  uint32_t number_ = 1;
  std::string payload_;
  size_t at_ = 0;
};

}  // namespace ragstone::index::vectors

#pragma once

#include <faiss/Index.h>

#include <memory>
#include <string>
#include <string_view>

#include "index/internal/vectors/chunk_parts.h"
#include "index/internal/vectors/method.h"

namespace ragstone::index::vectors {

inline constexpr ChunkFormat kCompactFormat{0x52535643, 1};  // "RSVC"

// What chunk 0 of a stored index says.
struct CompactHeader {
  uint64_t covers_seq = 0;
  Method method = Method::kIvfPq;
  VectorSpec spec;
  uint64_t rows = 0;
  uint64_t ef = 0;
};

std::string EncodeCompactHeader(const CompactHeader& header);
// DATA_LOSS for other bytes.
Result<CompactHeader> DecodeCompactHeader(std::string_view bytes);

// FAISS's own form of an index, as a part of ours. Errors are the sink's.
Status WriteFaiss(const faiss::Index& index, PartWriter* parts);
// DATA_LOSS for what FAISS does not take; the caller checks what it says of itself.
Result<std::unique_ptr<faiss::Index>> ReadFaiss(PartReader* parts);
// The same, of one class.
template <typename Index>
Result<std::unique_ptr<Index>> ReadFaissAs(PartReader* parts) {
  ASSIGN_OR_RETURN(std::unique_ptr<faiss::Index> index, ReadFaiss(parts));
  auto* const wanted = dynamic_cast<Index*>(index.get());
  if (wanted == nullptr) return DamagedIndex("its kind");
  index.release();
  return std::unique_ptr<Index>(wanted);
}

}  // namespace ragstone::index::vectors

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "index/internal/keys.h"
#include "index/types.h"

// The values of docs/FORMAT.md. Encoders cannot fail; decoders return DATA_LOSS
// (DATA_CORRUPT) for bytes that no encoder wrote.
namespace ragstone::index {

inline constexpr SequenceNumber kNever = UINT64_MAX;

// Consecutive chunk ids [first, first + count) written by one AddChunks batch.
struct ChunkRange {
  ChunkId first = 0;
  uint32_t count = 0;
};

// The published version of a document.
struct DocumentRecord {
  VersionId version = 0;
  SequenceNumber valid_from = 0;
  SequenceNumber valid_to = kNever;
  uint64_t words = 0;  // of all chunks, as BM25 counts them
  std::vector<ChunkRange> chunks;
  DocumentInfo info;
};

// A version whose rows are to be removed unless a writer still owns it.
struct PendingRecord {
  bool published = false;  // it was, and is retired since valid_to
  SequenceNumber valid_from = 0;
  SequenceNumber valid_to = 0;
};

// What must be deleted with one batch of chunks.
struct BatchRecord {
  uint32_t count = 0;
  std::vector<Sha256Digest> hashes;  // of embedded texts
};

// Counts over published versions; rewritten by every commit.
struct CollectionStats {
  uint64_t documents = 0;
  uint64_t chunks = 0;
  uint64_t words = 0;
};

// Who owns a row, at the start of vector and embedding values.
struct RowOwner {
  DocumentId document = 0;
  VersionId version = 0;
  auto operator<=>(const RowOwner&) const = default;
};

std::string EncodeDocument(const DocumentRecord& record);
Result<DocumentRecord> DecodeDocument(std::string_view bytes);
std::string EncodePending(const PendingRecord& record);
Result<PendingRecord> DecodePending(std::string_view bytes);
std::string EncodeBatch(const BatchRecord& record);
Result<BatchRecord> DecodeBatch(std::string_view bytes);
std::string EncodeCollection(const CollectionInfo& info);
Result<CollectionInfo> DecodeCollection(std::string_view bytes);
std::string EncodeStats(const CollectionStats& stats);
Result<CollectionStats> DecodeStats(std::string_view bytes);
// The text and the words are compressed.
Result<std::string> EncodePage(const PageRecord& page);
Result<PageRecord> DecodePage(std::string_view bytes);
std::string EncodeChunk(const ChunkRecord& chunk, VersionId version);
Result<std::pair<ChunkRecord, VersionId>> DecodeChunk(std::string_view bytes);
std::string EncodeVector(const RowOwner& owner, const float* values, size_t dimensions);
// Copies `dimensions` floats to `out` and returns the owner; `out` may be null.
Result<RowOwner> DecodeVector(std::string_view bytes, size_t dimensions, float* out);
std::string EncodeOwner(const RowOwner& owner);
Result<RowOwner> DecodeOwner(std::string_view bytes);
// A plain number: counters and document ids.
std::string EncodeNumber(uint64_t value);
Result<uint64_t> DecodeNumber(std::string_view bytes);

}  // namespace ragstone::index

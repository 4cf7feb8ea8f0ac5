#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"
#include "index/types.h"

// The keys of docs/FORMAT.md. All numbers are big-endian, so that byte order is number order.
namespace ragstone::index {

using VersionId = uint64_t;  // of a document version; never reused

std::string CollectionKey(CollectionId collection);
std::string DocumentKey(CollectionId collection, DocumentId document);
std::string SourceKey(CollectionId collection, std::string_view source);
std::string VersionKey(CollectionId collection, DocumentId document, VersionId version);
std::string PageKey(std::string_view version_key, uint32_t page);
std::string BatchKey(std::string_view version_key, ChunkId first);
std::string ChunkKey(CollectionId collection, ChunkId chunk);
std::string EmbeddingPrefix(std::string_view fingerprint, const Sha256Digest& hash);
std::string EmbeddingKey(std::string_view prefix, CollectionId collection, ChunkId chunk);

// The parts of a VersionKey or of a key that begins with one.
struct VersionKeyParts {
  CollectionId collection = 0;
  DocumentId document = 0;
  VersionId version = 0;
};
Result<VersionKeyParts> DecodeVersionKey(std::string_view key);
struct ChunkKeyParts {
  CollectionId collection = 0;
  ChunkId chunk = 0;
};
Result<ChunkKeyParts> DecodeChunkKey(std::string_view key);
// The last eight bytes of a key.
Result<uint64_t> DecodeKeySuffix(std::string_view key);

// DATA_LOSS (DATA_CORRUPT) with the remedy; `what` names the record.
Status Corrupt(std::string_view what);

}  // namespace ragstone::index

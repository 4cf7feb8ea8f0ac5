#include "index/internal/keys.h"

#include "index/internal/coding.h"

namespace ragstone::index {

Status Corrupt(std::string_view what) {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the stored " + std::string(what) +
                    " is damaged; restore the data directory from a backup, or delete the "
                    "document or collection and add it again");
}

std::string CollectionKey(CollectionId collection) {
  std::string key;
  Encoder(&key).U32(collection);
  return key;
}

std::string DocumentKey(CollectionId collection, DocumentId document) {
  std::string key = CollectionKey(collection);
  Encoder(&key).U64(document);
  return key;
}

std::string SourceKey(CollectionId collection, std::string_view source) {
  std::string key = CollectionKey(collection);
  key.append(source);
  return key;
}

std::string VersionKey(CollectionId collection, DocumentId document, VersionId version) {
  std::string key = DocumentKey(collection, document);
  Encoder(&key).U64(version);
  return key;
}

std::string PageKey(std::string_view version_key, uint32_t page) {
  std::string key(version_key);
  Encoder(&key).U32(page);
  return key;
}

std::string BatchKey(std::string_view version_key, ChunkId first) {
  std::string key(version_key);
  Encoder(&key).U64(first);
  return key;
}

std::string ChunkKey(CollectionId collection, ChunkId chunk) {
  return DocumentKey(collection, chunk);
}

std::string EmbeddingPrefix(std::string_view fingerprint, const Sha256Digest& hash) {
  std::string key(Sha256Of(fingerprint).View().substr(0, 16));
  key.append(hash.View());
  return key;
}

std::string EmbeddingKey(std::string_view prefix, CollectionId collection, ChunkId chunk) {
  std::string key(prefix);
  Encoder encoder(&key);
  encoder.U32(collection);
  encoder.U64(chunk);
  return key;
}

Result<VersionKeyParts> DecodeVersionKey(std::string_view key) {
  Decoder in(key);
  VersionKeyParts parts;
  parts.collection = in.U32();
  parts.document = in.U64();
  parts.version = in.U64();
  if (!in.ok()) return Corrupt("version key");
  return parts;
}

Result<ChunkKeyParts> DecodeChunkKey(std::string_view key) {
  Decoder in(key);
  ChunkKeyParts parts;
  parts.collection = in.U32();
  parts.chunk = in.U64();
  if (!in.done()) return Corrupt("chunk key");
  return parts;
}

Result<uint64_t> DecodeKeySuffix(std::string_view key) {
  if (key.size() < 8) return Corrupt("key");
  return Decoder(key.substr(key.size() - 8)).U64();
}

}  // namespace ragstone::index

#include "index/internal/records.h"

#include <zstd.h>

#include <algorithm>
#include <limits>

#include "base/hash.h"
#include "index/internal/coding.h"

namespace ragstone::index {
namespace {

// The first byte of every value; a later layout of a record takes the next number.
constexpr uint8_t kFormat = 1;
// Of collections: 1 had no language and no settings.
constexpr uint8_t kCollectionFormat = 2;

constexpr int kZstdLevel = 3;
// More than any page the ingest accepts; a damaged size must not make us allocate.
constexpr uint64_t kPageBytesMax = 256ull << 20;

enum MetadataType : uint8_t {
  kText = 1,
  kInteger = 2,
  kReal = 3,
  kBoolean = 4,
  kDatetime = 5,
  kTextList = 6
};

Encoder Begin(std::string* out) {
  Encoder encoder(out);
  encoder.U8(kFormat);
  return encoder;
}

Decoder Open(std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.U8() != kFormat) decoder.Fail();
  return decoder;
}

void EncodeDigest(const Sha256Digest& digest, Encoder* out) { out->Bytes(digest.View()); }

Sha256Digest DecodeDigest(Decoder* in) {
  Sha256Digest digest;
  const std::string_view bytes = in->Bytes(digest.bytes.size());
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

struct MetadataEncoder {
  Encoder* out;
  void operator()(const std::string& value) const {
    out->U8(kText);
    out->String(value);
  }
  void operator()(int64_t value) const {
    out->U8(kInteger);
    out->SignedVarint(value);
  }
  void operator()(double value) const {
    out->U8(kReal);
    out->F64(value);
  }
  void operator()(bool value) const {
    out->U8(kBoolean);
    out->U8(value ? 1 : 0);
  }
  void operator()(Datetime value) const {
    out->U8(kDatetime);
    out->SignedVarint(value.ns);
  }
  void operator()(const std::vector<std::string>& value) const {
    out->U8(kTextList);
    out->Varint(value.size());
    for (const std::string& text : value) out->String(text);
  }
};

MetadataValue DecodeMetadataValue(Decoder* in) {
  switch (in->U8()) {
    case kText:
      return std::string(in->String());
    case kInteger:
      return in->SignedVarint();
    case kReal:
      return in->F64();
    case kBoolean:
      return in->U8() != 0;
    case kDatetime:
      return Datetime{in->SignedVarint()};
    case kTextList: {
      std::vector<std::string> list(in->Count(1));
      for (std::string& text : list) text = in->String();
      return list;
    }
    default:
      in->Fail();
      return false;
  }
}

void EncodeInfo(const DocumentInfo& info, Encoder* out) {
  out->String(info.source);
  EncodeDigest(info.content, out);
  out->Varint(info.bytes);
  out->String(info.media_type);
  out->String(info.title);
  out->Varint(info.pages);
  out->Varint(info.chunks);
  out->SignedVarint(info.created_ns);
  out->SignedVarint(info.updated_ns);
  out->SignedVarint(info.accessed_ns);
  out->Varint(info.metadata.size());
  for (const auto& [name, value] : info.metadata) {
    out->String(name);
    std::visit(MetadataEncoder{out}, value);
  }
  out->Varint(info.warnings.size());
  for (const std::string& warning : info.warnings) out->String(warning);
}

void DecodeInfo(Decoder* in, DocumentInfo* info) {
  info->source = in->String();
  info->content = DecodeDigest(in);
  info->bytes = in->Varint();
  info->media_type = in->String();
  info->title = in->String();
  info->pages = in->Varint32();
  info->chunks = in->Varint32();
  info->created_ns = in->SignedVarint();
  info->updated_ns = in->SignedVarint();
  info->accessed_ns = in->SignedVarint();
  for (size_t left = in->Count(2); left > 0 && in->ok(); --left) {
    std::string name(in->String());
    info->metadata.insert_or_assign(std::move(name), DecodeMetadataValue(in));
  }
  info->warnings.resize(in->Count(1));
  for (std::string& warning : info->warnings) warning = in->String();
}

}  // namespace

std::string EncodeDocument(const DocumentRecord& record) {
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.U64(record.valid_from);
  out.U64(record.valid_to);
  out.U64(record.version);
  out.Varint(record.words);
  out.Varint(record.chunks.size());
  for (const ChunkRange& range : record.chunks) {
    out.Varint(range.first);
    out.Varint(range.count);
  }
  EncodeInfo(record.info, &out);
  return bytes;
}

Result<DocumentRecord> DecodeDocument(std::string_view bytes) {
  Decoder in = Open(bytes);
  DocumentRecord record;
  record.valid_from = in.U64();
  record.valid_to = in.U64();
  record.version = in.U64();
  record.words = in.Varint();
  record.chunks.resize(in.Count(2));
  for (ChunkRange& range : record.chunks) {
    range.first = in.Varint();
    range.count = in.Varint32();
  }
  DecodeInfo(&in, &record.info);
  if (!in.done()) return Corrupt("document record");
  return record;
}

std::string EncodePending(const PendingRecord& record) {
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.U8(record.published ? 1 : 0);
  out.U64(record.valid_from);
  out.U64(record.valid_to);
  return bytes;
}

Result<PendingRecord> DecodePending(std::string_view bytes) {
  Decoder in = Open(bytes);
  PendingRecord record;
  record.published = in.U8() != 0;
  record.valid_from = in.U64();
  record.valid_to = in.U64();
  if (!in.done()) return Corrupt("pending version");
  return record;
}

std::string EncodeBatch(const BatchRecord& record) {
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.Varint(record.count);
  out.Varint(record.hashes.size());
  for (const Sha256Digest& hash : record.hashes) EncodeDigest(hash, &out);
  return bytes;
}

Result<BatchRecord> DecodeBatch(std::string_view bytes) {
  Decoder in = Open(bytes);
  BatchRecord record;
  record.count = in.Varint32();
  record.hashes.resize(in.Count(32));
  for (Sha256Digest& hash : record.hashes) hash = DecodeDigest(&in);
  if (!in.done()) return Corrupt("chunk batch");
  return record;
}

std::string EncodeCollection(const CollectionInfo& info) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kCollectionFormat);
  out.U32(info.id);
  out.String(info.spec.name);
  out.String(info.spec.embedding_model);
  out.String(info.spec.fingerprint);
  out.Varint(info.spec.dimensions);
  out.SignedVarint(info.created_ns);
  out.String(info.spec.language);
  out.U8(static_cast<uint8_t>(info.settings.default_mode));
  out.U8(info.settings.unrelated_cosine.has_value() ? 1 : 0);
  out.F64(info.settings.unrelated_cosine.value_or(0));
  return bytes;
}

Result<CollectionInfo> DecodeCollection(std::string_view bytes) {
  Decoder in(bytes);
  const uint8_t format = in.U8();
  if (format != kFormat && format != kCollectionFormat) in.Fail();
  CollectionInfo info;
  info.id = in.U32();
  info.spec.name = in.String();
  info.spec.embedding_model = in.String();
  info.spec.fingerprint = in.String();
  info.spec.dimensions = in.Varint32();
  info.created_ns = in.SignedVarint();
  info.spec.language = "auto";
  if (format == kCollectionFormat) {
    info.spec.language = in.String();
    const uint8_t mode = in.U8();
    if (mode > static_cast<uint8_t>(SearchMode::kKeyword)) in.Fail();
    info.settings.default_mode = static_cast<SearchMode>(mode);
    const bool has_cosine = in.U8() != 0;
    const double cosine = in.F64();
    if (has_cosine) info.settings.unrelated_cosine = cosine;
  }
  if (!in.done()) return Corrupt("collection record");
  return info;
}

std::string EncodeStats(const CollectionStats& stats) {
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.Varint(stats.documents);
  out.Varint(stats.chunks);
  out.Varint(stats.words);
  return bytes;
}

Result<CollectionStats> DecodeStats(std::string_view bytes) {
  Decoder in = Open(bytes);
  CollectionStats stats;
  stats.documents = in.Varint();
  stats.chunks = in.Varint();
  stats.words = in.Varint();
  if (!in.done()) return Corrupt("collection counts");
  return stats;
}

Result<std::string> EncodePage(const PageRecord& page) {
  std::string body;
  Encoder inner(&body);
  inner.String(page.text);
  inner.Varint(page.words.size());
  uint32_t previous = 0;
  for (const Word& word : page.words) {
    inner.SignedVarint(static_cast<int64_t>(word.begin) - previous);
    inner.SignedVarint(static_cast<int64_t>(word.end) - word.begin);
    previous = word.end;
  }
  // Boxes after all offsets: equal columns lie together, which zstd likes.
  for (const Word& word : page.words) {
    inner.F32(word.box.x0);
    inner.F32(word.box.y0);
    inner.F32(word.box.x1);
    inner.F32(word.box.y1);
  }
  if (body.size() > kPageBytesMax) {
    return ResourceExhausted(Reason::kLimitExceeded, "page " + std::to_string(page.number) +
                                                         " holds " + std::to_string(body.size()) +
                                                         " bytes of text and boxes; at most " +
                                                         std::to_string(kPageBytesMax) +
                                                         " are stored: split the document");
  }
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.Varint(page.number);
  out.String(page.label);
  out.F32(page.width);
  out.F32(page.height);
  out.Varint(page.text_begin);
  out.Varint(body.size());
  const size_t header = bytes.size();
  bytes.resize(header + ZSTD_compressBound(body.size()));
  const size_t size = ZSTD_compress(bytes.data() + header, bytes.size() - header, body.data(),
                                    body.size(), kZstdLevel);
  if (ZSTD_isError(size)) {
    return Internal("compressing page " + std::to_string(page.number) +
                    " failed: " + ZSTD_getErrorName(size));
  }
  bytes.resize(header + size);
  return bytes;
}

Result<PageRecord> DecodePage(std::string_view bytes) {
  Decoder in = Open(bytes);
  PageRecord page;
  page.number = in.Varint32();
  page.label = in.String();
  page.width = in.F32();
  page.height = in.F32();
  page.text_begin = in.Varint();
  const uint64_t size = in.Varint();
  if (!in.ok() || size > kPageBytesMax) return Corrupt("page");
  const std::string_view compressed = in.Bytes(in.remaining());
  std::string body(size, '\0');
  if (ZSTD_decompress(body.data(), size, compressed.data(), compressed.size()) != size) {
    return Corrupt("page");
  }
  Decoder inner(body);
  page.text = inner.String();
  page.words.resize(inner.Count(18));
  int64_t offset = 0;
  for (Word& word : page.words) {
    offset += inner.SignedVarint();
    word.begin = static_cast<uint32_t>(offset);
    offset += inner.SignedVarint();
    word.end = static_cast<uint32_t>(offset);
  }
  for (Word& word : page.words) {
    word.box.x0 = inner.F32();
    word.box.y0 = inner.F32();
    word.box.x1 = inner.F32();
    word.box.y1 = inner.F32();
  }
  if (!inner.done()) return Corrupt("page");
  return page;
}

std::string EncodeChunk(const ChunkRecord& chunk, VersionId version) {
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.U64(chunk.document);
  out.U64(version);
  out.Varint(chunk.ordinal);
  out.Varint(chunk.page_first);
  out.Varint(chunk.page_last);
  out.Varint(chunk.line_first);
  out.Varint(chunk.begin);
  out.Varint(chunk.end);
  out.Varint(chunk.tokens);
  EncodeDigest(chunk.embedded, &out);
  out.String(chunk.heading);
  out.String(chunk.text);
  return bytes;
}

Result<std::pair<ChunkRecord, VersionId>> DecodeChunk(std::string_view bytes) {
  Decoder in = Open(bytes);
  ChunkRecord chunk;
  chunk.document = in.U64();
  const VersionId version = in.U64();
  chunk.ordinal = in.Varint32();
  chunk.page_first = in.Varint32();
  chunk.page_last = in.Varint32();
  chunk.line_first = in.Varint32();
  chunk.begin = in.Varint();
  chunk.end = in.Varint();
  chunk.tokens = in.Varint32();
  chunk.embedded = DecodeDigest(&in);
  chunk.heading = in.String();
  chunk.text = in.String();
  if (!in.done()) return Corrupt("chunk");
  return std::make_pair(std::move(chunk), version);
}

std::string EncodeVector(const RowOwner& owner, const float* values, size_t dimensions) {
  std::string bytes = EncodeOwner(owner);
  bytes.reserve(bytes.size() + 4 * dimensions);
  Encoder out(&bytes);
  for (size_t i = 0; i < dimensions; ++i) out.F32(values[i]);
  return bytes;
}

Result<RowOwner> DecodeVector(std::string_view bytes, size_t dimensions, float* out) {
  constexpr size_t kHeader = 17;
  if (bytes.size() != kHeader + 4 * dimensions) return Corrupt("vector");
  ASSIGN_OR_RETURN(const RowOwner owner, DecodeOwner(bytes.substr(0, kHeader)));
  if (out == nullptr) return owner;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(out, bytes.data() + kHeader, 4 * dimensions);
  } else {
    Decoder in(bytes.substr(kHeader));
    for (size_t i = 0; i < dimensions; ++i) out[i] = in.F32();
  }
  return owner;
}

std::string EncodeOwner(const RowOwner& owner) {
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.U64(owner.document);
  out.U64(owner.version);
  return bytes;
}

Result<RowOwner> DecodeOwner(std::string_view bytes) {
  Decoder in = Open(bytes);
  RowOwner owner;
  owner.document = in.U64();
  owner.version = in.U64();
  if (!in.done()) return Corrupt("row header");
  return owner;
}

std::string EncodeNumber(uint64_t value) {
  std::string bytes;
  Encoder out = Begin(&bytes);
  out.U64(value);
  return bytes;
}

Result<uint64_t> DecodeNumber(std::string_view bytes) {
  Decoder in = Open(bytes);
  const uint64_t value = in.U64();
  if (!in.done()) return Corrupt("counter");
  return value;
}

}  // namespace ragstone::index

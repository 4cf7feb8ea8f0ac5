#include "index/internal/records_db/index_manifest.h"

#include "base/hash.h"
#include "index/internal/coding.h"
#include "index/internal/keys.h"

namespace ragstone::index::records {
namespace {

constexpr uint8_t kFormat = 2;  // 1: without the kind of a part

void EncodeFile(const StoredFile& file, Encoder* out) {
  out->U64(file.stamp);
  out->Varint(file.bytes);
  out->U64(file.hash);
}

StoredFile DecodeFile(Decoder* in) {
  StoredFile file;
  file.stamp = in->U64();
  file.bytes = in->Varint();
  file.hash = in->U64();
  return file;
}

}  // namespace

std::set<uint64_t> IndexManifest::Stamps() const {
  std::set<uint64_t> stamps;
  if (state.stamp != 0) stamps.insert(state.stamp);
  for (const StoredPart& part : parts) stamps.insert(part.file.stamp);
  return stamps;
}

std::string EncodeManifest(const IndexManifest& manifest) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  EncodeFile(manifest.state, &out);
  out.U64(manifest.fingerprint);
  out.U64(manifest.version);
  out.U64(manifest.next_row);
  out.Varint(manifest.parts.size());
  for (const StoredPart& part : manifest.parts) {
    out.String(part.vector);
    out.U64(part.fingerprint);
    EncodeFile(part.file, &out);
    out.U8(part.compact ? 1 : 0);
    out.Varint(part.rows);
    out.Varint(part.gone);
    out.String(part.reason);
  }
  return bytes;
}

Result<IndexManifest> DecodeManifest(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  IndexManifest manifest;
  manifest.state = DecodeFile(&in);
  manifest.fingerprint = in.U64();
  manifest.version = in.U64();
  manifest.next_row = in.U64();
  manifest.parts.resize(in.Count(8));
  for (StoredPart& part : manifest.parts) {
    part.vector = in.String();
    part.fingerprint = in.U64();
    part.file = DecodeFile(&in);
    const uint8_t kind = in.U8();
    if (kind > 1) in.Fail();
    part.compact = kind == 1;
    part.rows = in.Varint();
    part.gone = in.Varint();
    part.reason = in.String();
  }
  if (!in.done()) return Corrupt("list of index files");
  return manifest;
}

uint64_t VectorFingerprint(const StoredSpec& stored, const VectorField& field) {
  std::string bytes;
  Encoder out(&bytes);
  out.String(field.name);
  out.Varint(field.dimensions);
  out.U8(static_cast<uint8_t>(field.metric));
  out.U8(static_cast<uint8_t>(field.storage));
  out.U8(static_cast<uint8_t>(field.method));
  out.F32(field.target_recall);
  const auto first = stored.first_rows.find(VectorKey(field.name));
  out.U64(first == stored.first_rows.end() ? 0 : first->second);
  return FastHash(bytes);
}

uint64_t StateFingerprint(const StoredSpec& stored) {
  StoredSpec indexed = stored;
  // Words have an index of their own, and history is none.
  indexed.spec.language.clear();
  indexed.spec.history_seconds = 0;
  indexed.text_numbers.clear();
  indexed.next_text_number = 1;
  return FastHash(EncodeStoredSpec(indexed));
}

}  // namespace ragstone::index::records

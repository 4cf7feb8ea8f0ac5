#include "index/internal/records_db/record_coding.h"

#include <bit>

#include "index/internal/coding.h"
#include "index/internal/keys.h"

namespace ragstone::index::records {
namespace {

constexpr uint8_t kFormat = 1;

enum class VectorKind : uint8_t { kDense = 0, kBits = 1, kSparse = 2 };

void EncodeVector(const Vector& vector, Encoder* out) {
  if (const auto* dense = std::get_if<DenseVector>(&vector)) {
    out->U8(static_cast<uint8_t>(VectorKind::kDense));
    out->Varint(dense->size());
    if constexpr (std::endian::native == std::endian::little) {
      out->Bytes({reinterpret_cast<const char*>(dense->data()), dense->size() * sizeof(float)});
    } else {
      for (const float value : *dense) out->F32(value);
    }
  } else if (const auto* bits = std::get_if<BitVector>(&vector)) {
    out->U8(static_cast<uint8_t>(VectorKind::kBits));
    out->String({reinterpret_cast<const char*>(bits->data()), bits->size()});
  } else {
    const auto& sparse = std::get<SparseVector>(vector);
    out->U8(static_cast<uint8_t>(VectorKind::kSparse));
    out->Varint(sparse.dimensions.size());
    uint32_t previous = 0;
    for (size_t i = 0; i < sparse.dimensions.size(); ++i) {
      out->Varint(sparse.dimensions[i] - previous);
      out->F32(sparse.weights[i]);
      previous = sparse.dimensions[i];
    }
  }
}

DenseVector DecodeDense(Decoder* in) {
  DenseVector dense(in->Count(sizeof(float)));
  const std::string_view bytes = in->Bytes(dense.size() * sizeof(float));
  if (bytes.empty()) return dense;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(dense.data(), bytes.data(), bytes.size());
  } else {
    Decoder values(bytes);
    for (float& value : dense) value = values.F32();
  }
  return dense;
}

SparseVector DecodeSparse(Decoder* in) {
  SparseVector sparse;
  const size_t count = in->Count(1 + sizeof(float));
  uint32_t dimension = 0;
  for (size_t i = 0; i < count; ++i) {
    dimension += in->Varint32();
    sparse.dimensions.push_back(dimension);
    sparse.weights.push_back(in->F32());
  }
  return sparse;
}

Vector DecodeVector(Decoder* in) {
  switch (static_cast<VectorKind>(in->U8())) {
    case VectorKind::kDense:
      return DecodeDense(in);
    case VectorKind::kBits: {
      const std::string_view bytes = in->String();
      return BitVector(bytes.begin(), bytes.end());
    }
    case VectorKind::kSparse:
      return DecodeSparse(in);
  }
  in->Fail();
  return DenseVector();
}

void SkipVector(Decoder* in) {
  switch (static_cast<VectorKind>(in->U8())) {
    case VectorKind::kDense:
      in->Bytes(in->Count(sizeof(float)) * sizeof(float));
      return;
    case VectorKind::kBits:
      in->String();
      return;
    case VectorKind::kSparse:
      DecodeSparse(in);
      return;
  }
  in->Fail();
}

// A row is its version, its id, the payload, and the vectors by name.
struct RowHead {
  SequenceNumber version = 0;
  std::string_view id;
  std::string_view payload;
};

RowHead DecodeHead(Decoder* in) {
  if (in->U8() != kFormat) in->Fail();
  RowHead head;
  head.version = in->U64();
  head.id = in->String();
  head.payload = in->String();
  return head;
}

Status CorruptRow(RowId row) { return Corrupt("record in row " + std::to_string(row)); }

}  // namespace

std::string EncodeRow(const Record& record) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.U64(record.version);
  out.String(record.id);
  out.String(EncodePayload(record.payload));
  out.Varint(record.vectors.size());
  for (const auto& [name, vector] : record.vectors) {
    out.String(name);
    EncodeVector(vector, &out);
  }
  return bytes;
}

void SetRowVersion(SequenceNumber version, std::string* bytes) {
  std::string encoded;
  Encoder(&encoded).U64(version);
  bytes->replace(1, encoded.size(), encoded);
}

Result<Record> DecodeRow(const StoredSpec& stored, RowId row, std::string_view bytes,
                         const RowParts& parts) {
  Decoder in(bytes);
  const RowHead head = DecodeHead(&in);
  Record record;
  record.version = head.version;
  record.id = head.id;
  if (parts.payload && in.ok()) {
    ASSIGN_OR_RETURN(record.payload, DecodePayload(head.payload));
    std::erase_if(record.payload,
                  [&](const auto& entry) { return !stored.HasField(entry.first, row); });
  }
  if (!parts.vectors) return in.ok() ? Result<Record>(std::move(record)) : CorruptRow(row);
  const size_t vectors = in.Count(2);
  for (size_t i = 0; i < vectors; ++i) {
    const std::string_view name = in.String();
    if (stored.HasVector(name, row)) {
      record.vectors.emplace(name, DecodeVector(&in));
    } else {
      SkipVector(&in);
    }
  }
  if (!in.done()) return CorruptRow(row);
  return record;
}

Result<std::optional<Vector>> DecodeRowVector(const StoredSpec& stored, RowId row,
                                              std::string_view bytes, std::string_view name) {
  Decoder in(bytes);
  DecodeHead(&in);
  if (!stored.HasVector(name, row)) return std::optional<Vector>();
  const size_t vectors = in.Count(2);
  for (size_t i = 0; i < vectors; ++i) {
    if (in.String() != name) {
      SkipVector(&in);
      continue;
    }
    Vector vector = DecodeVector(&in);
    if (!in.ok()) return CorruptRow(row);
    return std::optional<Vector>(std::move(vector));
  }
  if (!in.done()) return CorruptRow(row);
  return std::optional<Vector>();
}

std::string EncodeIdRow(RowId row) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.U64(row);
  return bytes;
}

Result<RowId> DecodeIdRow(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  const RowId row = in.U64();
  if (!in.done()) return Corrupt("row of a record's id");
  return row;
}

std::string EncodeGoneRow(const GoneRow& gone) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.String(gone.id);
  out.U64(gone.version);
  out.SignedVarint(gone.gone_ns);
  out.U8(gone.deleted ? 1 : 0);
  return bytes;
}

Result<GoneRow> DecodeGoneRow(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  GoneRow gone;
  gone.id = in.String();
  gone.version = in.U64();
  gone.gone_ns = in.SignedVarint();
  gone.deleted = in.U8() != 0;
  if (!in.done()) return Corrupt("note of a superseded record");
  return gone;
}

std::string EncodeRecordState(const RecordState& state) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.U64(state.version);
  out.U64(state.next_row);
  out.Varint(state.records);
  out.Varint(state.requests);
  return bytes;
}

Result<RecordState> DecodeRecordState(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  RecordState state;
  state.version = in.U64();
  state.next_row = in.U64();
  state.records = in.Varint();
  state.requests = in.Varint();
  if (!in.done()) return Corrupt("state of a record collection");
  return state;
}

std::string EncodeRequest(const RequestOutcome& outcome) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.U64(outcome.fingerprint);
  out.SignedVarint(outcome.time_ns);
  out.Bytes(outcome.outcome);
  return bytes;
}

Result<RequestOutcome> DecodeRequest(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  RequestOutcome outcome;
  outcome.fingerprint = in.U64();
  outcome.time_ns = in.SignedVarint();
  outcome.outcome = in.Bytes(in.remaining());
  if (!in.ok()) return Corrupt("outcome of a request");
  return outcome;
}

std::string EncodeWriteResult(const WriteResult& result) {
  std::string bytes;
  Encoder out(&bytes);
  out.U64(result.version);
  out.Varint(result.affected);
  return bytes;
}

Result<WriteResult> DecodeWriteResult(std::string_view bytes) {
  Decoder in(bytes);
  WriteResult result;
  result.version = in.U64();
  result.affected = in.Varint();
  if (!in.done()) return Corrupt("outcome of a write");
  return result;
}

}  // namespace ragstone::index::records

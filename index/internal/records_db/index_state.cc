#include "index/internal/records_db/index_state.h"

#include <algorithm>

#include "index/internal/coding.h"
#include "index/internal/keys.h"

namespace ragstone::index::records {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kPieceBytes = 4 << 20;

// The first byte of each chunk.
enum class Piece : uint8_t { kHead = 0, kFields = 1, kSparse = 2, kWaiting = 3, kEnd = 4 };

Status Damaged() { return Corrupt("stored state of a record collection's indexes"); }

void EncodeRowSet(const fields::RowSet& rows, Encoder* out) {
  out->Varint(rows.parts().size());
  for (const auto& [high, low] : rows.parts()) {
    out->U32(high);
    fields::EncodeRows(low, out);
  }
}

fields::RowSet DecodeRowSet(Decoder* in) {
  fields::RowSet rows;
  const size_t parts = in->Count(sizeof(uint32_t) + 1);
  for (size_t i = 0; i < parts; ++i) {
    const uint32_t high = in->U32();
    rows.AddAll(high, fields::DecodeRows(in));
  }
  return rows;
}

class StateWriter {
 public:
  explicit StateWriter(ChunkFileWriter* file) : file_(file) {}

  Status Put(Piece piece, std::string_view bytes) {
    std::string chunk(1, static_cast<char>(piece));
    chunk += bytes;
    return file_->Put(number_++, chunk);
  }
  uint32_t pieces() const { return number_; }

 private:
  ChunkFileWriter* const file_;
  uint32_t number_ = 0;
};

class StateReader {
 public:
  StateReader(const ChunkFileReader& file, const StoredSpec& spec, Indexes* indexes)
      : file_(file), spec_(spec), indexes_(indexes) {}

  Result<LoadedState> Read() {
    for (uint32_t number = 0; !ended_; ++number) {
      ASSIGN_OR_RETURN(const std::string chunk, file_.Get(number));
      Decoder in(chunk);
      const auto piece = static_cast<Piece>(in.U8());
      if ((piece == Piece::kHead) != (number == 0)) return Damaged();
      if (!Take(piece, number, &in)) return Damaged();
    }
    RETURN_IF_ERROR(file_.Finish());
    ASSIGN_OR_RETURN(state_.fields, fields::FieldIndex::Load(spec_.spec.schema, fields_));
    return std::move(state_);
  }

 private:
  bool Take(Piece piece, uint32_t number, Decoder* in) {
    switch (piece) {
      case Piece::kHead:
        if (in->U8() != kFormat || in->U32() != spec_.id) in->Fail();
        state_.version = in->U64();
        state_.next_row = in->U64();
        return in->done();
      case Piece::kFields:
        fields_ += in->Bytes(in->remaining());
        return true;
      case Piece::kSparse: {
        const auto index = indexes_->sparse().find(in->String());
        return in->ok() && index != indexes_->sparse().end() &&
               index->second->Decode(in->Bytes(in->remaining()));
      }
      case Piece::kWaiting: {
        const std::string name(in->String());
        state_.waiting[name] = DecodeRowSet(in);
        return in->done() && spec_.FindVector(name) != nullptr;
      }
      case Piece::kEnd:
        ended_ = true;
        return in->U32() == number && in->done();
    }
    return false;
  }

  const ChunkFileReader& file_;
  const StoredSpec& spec_;
  Indexes* const indexes_;
  std::string fields_;
  LoadedState state_;
  bool ended_ = false;
};

}  // namespace

Status WriteIndexState(const StateToStore& state, ChunkFileWriter* file) {
  StateWriter writer(file);
  std::string bytes;
  Encoder head(&bytes);
  head.U8(kFormat);
  head.U32(state.collection);
  head.U64(state.version);
  head.U64(state.next_row);
  RETURN_IF_ERROR(writer.Put(Piece::kHead, bytes));
  bytes = state.view->fields->Encode();
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t size = std::min(rest.size(), kPieceBytes);
    RETURN_IF_ERROR(writer.Put(Piece::kFields, rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  const fields::RowSet live = state.view->fields->AllRows();
  for (const auto& [name, index] : state.view->sparse) {
    std::string prefix;
    Encoder(&prefix).String(name);
    RETURN_IF_ERROR(index->Encode(live, kPieceBytes, [&](std::string_view piece) {
      return writer.Put(Piece::kSparse, prefix + std::string(piece));
    }));
  }
  for (const auto& [name, rows] : state.waiting) {
    bytes.clear();
    Encoder out(&bytes);
    out.String(name);
    EncodeRowSet(rows, &out);
    RETURN_IF_ERROR(writer.Put(Piece::kWaiting, bytes));
  }
  bytes.clear();
  Encoder(&bytes).U32(writer.pieces());
  return writer.Put(Piece::kEnd, bytes);
}

Result<LoadedState> ReadIndexState(const ChunkFileReader& file, const StoredSpec& spec,
                                   Indexes* indexes) {
  return StateReader(file, spec, indexes).Read();
}

}  // namespace ragstone::index::records

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "index/internal/records_db/record_keys.h"
#include "index/internal/records_db/stored_spec.h"

// The values of record collections, as docs/FORMAT.md describes them. Encoders cannot fail;
// decoders return DATA_LOSS (DATA_CORRUPT) for bytes that no encoder wrote.
namespace ragstone::index::records {

// Which parts of a row are decoded; the id and the version always are.
struct RowParts {
  bool payload = true;
  bool vectors = true;
};

std::string EncodeRow(const Record& record);
// Puts another version into an encoded row.
void SetRowVersion(SequenceNumber version, std::string* bytes);
// Without what the collection does not have any more.
Result<Record> DecodeRow(const StoredSpec& stored, RowId row, std::string_view bytes,
                         const RowParts& parts);
// One vector of a row; nullopt if it has none of that name.
Result<std::optional<Vector>> DecodeRowVector(const StoredSpec& stored, RowId row,
                                              std::string_view bytes, std::string_view name);

// What an id stands for since a version: a row, or kNoRow after a deletion.
std::string EncodeIdRow(RowId row);
Result<RowId> DecodeIdRow(std::string_view bytes);

// A superseded row.
struct GoneRow {
  std::string id;
  SequenceNumber version = 0;  // of the row
  int64_t gone_ns = 0;         // when it was superseded
  bool deleted = false;        // by nothing
};
std::string EncodeGoneRow(const GoneRow& gone);
Result<GoneRow> DecodeGoneRow(std::string_view bytes);

// Rewritten by every write of a collection.
struct RecordState {
  SequenceNumber version = 0;  // of the last write
  RowId next_row = 1;
  uint64_t records = 0;
  uint64_t requests = 0;  // whose outcomes are kept
};
std::string EncodeRecordState(const RecordState& state);
Result<RecordState> DecodeRecordState(std::string_view bytes);

// The outcome of a request that had an id.
struct RequestOutcome {
  uint64_t fingerprint = 0;  // of the write
  int64_t time_ns = 0;
  std::string outcome;  // whose meaning is the caller's
};
std::string EncodeRequest(const RequestOutcome& outcome);
Result<RequestOutcome> DecodeRequest(std::string_view bytes);

// What it is of a write.
std::string EncodeWriteResult(const WriteResult& result);
Result<WriteResult> DecodeWriteResult(std::string_view bytes);

}  // namespace ragstone::index::records

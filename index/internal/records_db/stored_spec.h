#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "index/internal/records_db/record_keys.h"
#include "index/record_database.h"

namespace ragstone::index::records {

// A record collection's description as it is stored.
struct StoredSpec {
  CollectionId id = 0;
  int64_t created_ns = 0;
  RecordCollectionSpec spec;
  // The first row that may hold a field or vector: what earlier rows hold under its name belonged
  // to one that was removed. Fields and vectors share no names here: see FieldKey, VectorKey.
  std::map<std::string, RowId, std::less<>> first_rows;
  // Numbers of text fields for keyword search, from 1, never given twice.
  std::map<std::string, uint16_t, std::less<>> text_numbers;
  uint16_t next_text_number = 1;

  // nullptr if there is none.
  const VectorField* FindVector(std::string_view name) const;
  const SparseField* FindSparse(std::string_view name) const;
  bool HasField(std::string_view name, RowId row) const;
  bool HasVector(std::string_view name, RowId row) const;
};

std::string FieldKey(std::string_view name);
std::string VectorKey(std::string_view name);

// INVALID_ARGUMENT, COLLECTION_NAME_INVALID or LIMIT_EXCEEDED say what of a description is not
// possible.
Status CheckSpec(const RecordCollectionSpec& spec);

// The description after creation, with all fields from the first row on.
StoredSpec NewStoredSpec(CollectionId id, int64_t created_ns, const RecordCollectionSpec& spec);

// The description after a change to `spec`, whose new fields and vectors begin at `next_row`.
// INVALID_ARGUMENT if it changes what cannot be changed.
Result<StoredSpec> AlteredSpec(const StoredSpec& old, const RecordCollectionSpec& spec,
                               RowId next_row);

std::string EncodeStoredSpec(const StoredSpec& stored);
Result<StoredSpec> DecodeStoredSpec(std::string_view bytes);

}  // namespace ragstone::index::records

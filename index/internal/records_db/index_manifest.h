#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "index/internal/records_db/index_files.h"
#include "index/internal/records_db/stored_spec.h"

namespace ragstone::index::records {

// A sealed part of a named vector, as it is stored.
struct StoredPart {
  std::string vector;
  uint64_t fingerprint = 0;  // of the vector's description
  StoredFile file;
  bool compact = false;  // a vectors::CompactIndex, not a vectors::Segment
  uint64_t rows = 0;
  uint64_t gone = 0;   // of them, when the manifest was made
  std::string reason;  // why it is searched as it is, for people
  bool operator==(const StoredPart&) const = default;
};

// Which index files of a collection count. Kept in RocksDB: a file that it does not name is none.
struct IndexManifest {
  // Fields, sparse vectors and live rows, as of `version`, at which the next row was `next_row`.
  // Without it all rows are read.
  StoredFile state;
  uint64_t fingerprint = 0;  // of what the state holds
  SequenceNumber version = 0;
  RowId next_row = 1;
  std::vector<StoredPart> parts;
  bool operator==(const IndexManifest&) const = default;

  std::set<uint64_t> Stamps() const;
};

std::string EncodeManifest(const IndexManifest& manifest);
// DATA_LOSS for other bytes.
Result<IndexManifest> DecodeManifest(std::string_view bytes);

// Change whenever files of one description are of no use for the other.
uint64_t VectorFingerprint(const StoredSpec& stored, const VectorField& field);
uint64_t StateFingerprint(const StoredSpec& stored);

}  // namespace ragstone::index::records

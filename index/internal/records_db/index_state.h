#pragma once

#include <map>
#include <memory>
#include <string>

#include "index/internal/fields/row_set.h"
#include "index/internal/records_db/index_files.h"
#include "index/internal/records_db/record_state.h"

namespace ragstone::index::records {

// Rows by the name of a vector.
using RowsOfVectors = std::map<std::string, fields::RowSet, std::less<>>;

// What goes into a state file: the fields, sparse vectors and live rows of one state of a
// collection, and which rows' vectors no stored part holds.
struct StateToStore {
  CollectionId collection = 0;
  SequenceNumber version = 0;
  RowId next_row = 1;
  std::shared_ptr<const IndexView> view;
  RowsOfVectors waiting;
};
Status WriteIndexState(const StateToStore& state, ChunkFileWriter* file);

struct LoadedState {
  SequenceNumber version = 0;
  RowId next_row = 1;
  std::unique_ptr<fields::FieldIndex> fields;
  RowsOfVectors waiting;
};
// Reads what WriteIndexState wrote for a collection of this description; sparse vectors go into
// `indexes`, which is of no use after an error. DATA_LOSS for other bytes.
Result<LoadedState> ReadIndexState(const ChunkFileReader& file, const StoredSpec& spec,
                                   Indexes* indexes);

}  // namespace ragstone::index::records

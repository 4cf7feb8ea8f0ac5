#pragma once

#include <memory>

#include "index/internal/keywords/keyword_index.h"
#include "index/internal/records_db/index_checkpoint.h"
#include "index/internal/records_db/record_collection.h"

namespace ragstone::index::records {

struct LoadedIndexes {
  std::shared_ptr<Indexes> indexes;
  uint64_t records = 0;
  uint64_t changes = 0;  // since the stored state
};

struct LoadTerms {
  uint64_t share = 0;  // of the memory for indexes
  // There is no memory for all vectors as they are stored, nor for graphs over them: they are
  // sealed while they are read, which takes longer.
  bool seal = false;
  MemoryCharge* memory = nullptr;  // what was reserved; more is added for what files do not give
};
// Loads a collection's indexes: from its files as far as they count and are sound, and from the
// rows since, or from all. Under its commit lock.
Result<LoadedIndexes> LoadIndexes(const RecordsEnv& env, const StoredSpec& spec,
                                  const RecordState& stored, const LoadTerms& terms);

// The keyword indexes of a description's text fields; those of `old` that stay are taken over.
Result<std::shared_ptr<const TextIndexes>> MakeTextIndexes(const keywords::Shared& shared,
                                                           const StoredSpec& spec,
                                                           const TextIndexes* old);

// Calls `visit(row, bytes)` for every live row in order, until an error.
Status VisitLiveRows(const Store& store, CollectionId collection,
                     const std::function<Status(RowId, std::string_view)>& visit);

// Rows that were removed after the stored state, and that only this says so of.
std::string EncodeSwept(const fields::RowSet& rows);
Result<fields::RowSet> DecodeSwept(std::string_view bytes);

}  // namespace ragstone::index::records

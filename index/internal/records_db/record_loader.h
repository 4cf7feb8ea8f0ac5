#pragma once

#include <memory>

#include "index/internal/keywords/keyword_index.h"
#include "index/internal/records_db/record_collection.h"

namespace ragstone::index::records {

// Reads a collection's live rows into indexes. Under its commit lock.
Result<std::unique_ptr<Indexes>> LoadIndexes(const Store& store, const StoredSpec& spec,
                                             size_t seal_rows, uint64_t* records);

// The keyword indexes of a description's text fields; those of `old` that stay are taken over.
Result<std::shared_ptr<const TextIndexes>> MakeTextIndexes(const keywords::Shared& shared,
                                                           const StoredSpec& spec,
                                                           const TextIndexes* old);

// Calls `visit(row, bytes)` for every live row in order, until an error.
Status VisitLiveRows(const Store& store, CollectionId collection,
                     const std::function<Status(RowId, std::string_view)>& visit);

}  // namespace ragstone::index::records

#pragma once

#include "tests/reliability/world.h"

namespace ragstone::index::reliability {

// Documents whose content follows from their name and a mark.
inline constexpr uint32_t kDocumentDimensions = 16;
inline constexpr uint32_t kDocumentChunks = 40;

// Makes the collection if it is missing.
Result<CollectionId> DocumentCollection(Database* database, const std::string& name);
// Writes a document, or the next version of the one with that source.
Status PutDocument(Database* database, CollectionId collection, const std::string& source,
                   uint64_t mark);
// A violation if the document is not that of `mark`, by reading and by searching.
Status CheckDocument(const Database& database, CollectionId collection, const std::string& source,
                     uint64_t mark);
// The vector of one of its chunks.
std::vector<float> ChunkVector(const std::string& source, uint64_t mark, uint32_t chunk);

}  // namespace ragstone::index::reliability

#pragma once

#include <vector>

#include "base/call_context.h"
#include "index/internal/collection.h"
#include "index/internal/store.h"

// What a filter selects of a collection at a pinned sequence. Versions and fields must be loaded.
// INVALID_ARGUMENT (FILTER_INVALID) for a filter that does not fit the documents' fields.
namespace ragstone::index {

struct FilterRequest {
  const Filter* filter = nullptr;
  SequenceNumber sequence = 0;  // pinned
};

// The chunks it holds for, in order.
Result<std::vector<keywords::RowRange>> SelectChunks(const Store& store,
                                                     const Collection& collection,
                                                     const FilterRequest& request,
                                                     const CallContext& context);

// The documents that have such a chunk or, if the filter does not ask for pages, that it holds for;
// ascending.
Result<std::vector<DocumentId>> SelectDocuments(const Store& store, const Collection& collection,
                                                const FilterRequest& request,
                                                const CallContext& context);

}  // namespace ragstone::index

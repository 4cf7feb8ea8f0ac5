#pragma once

#include <memory>
#include <vector>

#include "index/internal/core.h"
#include "index/internal/maintainer.h"

namespace ragstone::index {

// Runs searches, at most as many at a time as there are search threads; the others wait.
// Thread-safe.
class Searcher {
 public:
  Searcher(Core* core, Maintainer* maintainer);

  Result<std::vector<SearchHit>> Search(CollectionId collection, const SearchRequest& request,
                                        const CallContext& context);
  Result<std::vector<std::pair<std::string, double>>> TermWeights(CollectionId collection,
                                                                  std::string_view text);

 private:
  class Slot;
  Result<std::vector<SearchHit>> SearchIn(Collection* collection, const SearchRequest& request,
                                          const CallContext& context);

  Core* const core_;
  Maintainer* const maintainer_;
  const uint32_t slots_;
  Mutex mutex_;
  CondVar free_;
  uint32_t used_ GUARDED_BY(mutex_) = 0;
};

}  // namespace ragstone::index

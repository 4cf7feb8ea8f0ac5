#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "index/internal/fields/row_set.h"
#include "index/internal/records_db/record_collection.h"
#include "index/internal/store.h"

namespace ragstone::index::records {

// INVALID_ARGUMENT if the search cannot be run on the collection.
Status CheckSearch(const StoredSpec& spec, const RecordSearch& search);

// One search of one state, whose indexes are loaded. Used by one thread.
class SearchRun {
 public:
  // `excluded` rows are not found; sorted. `search` was checked; all must outlive it.
  SearchRun(const Store& store, StateRef state, const RecordSearch& search,
            std::vector<RowId> excluded, const CallContext& context);
  Result<std::vector<RecordHit>> Run();

 private:
  // A row that was found. Whatever is searched by, the best have the least `order`.
  struct Candidate {
    RowId row = kNoRow;
    double order = 0;
  };

  bool by_distance() const;
  Status Restrict();
  Result<std::vector<Candidate>> Find(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindByVector(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindBySparse(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindByText(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindByBoth(size_t k, const fields::RowSet* allowed);
  std::vector<uint16_t> TextFields() const;
  // How alike the row's vector is to the query, for fusion; larger is more.
  Result<double> Likeness(RowId row);
  double LikenessOf(double order) const;

  Result<std::vector<RecordHit>> Plain();
  Result<std::vector<RecordHit>> Grouped();
  Result<RecordHit> MakeHit(const Candidate& candidate);

  const Store& store_;
  const StateRef state_;
  const StoredSpec& spec_;
  const RecordSearch& search_;
  const std::vector<RowId> excluded_;
  const CallContext& context_;
  const VectorField* dense_ = nullptr;
  const SparseField* sparse_ = nullptr;
  bool restricted_ = false;
  fields::RowSet allowed_;
};

}  // namespace ragstone::index::records

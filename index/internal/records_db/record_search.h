#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "index/internal/fields/row_set.h"
#include "index/internal/fusion.h"
#include "index/internal/records_db/read_budget.h"
#include "index/internal/records_db/record_collection.h"
#include "index/internal/store.h"

namespace ragstone::index::records {

// INVALID_ARGUMENT if the search cannot be run on the collection.
Status CheckSearch(const StoredSpec& spec, const RecordSearch& search);

// The call that a search is part of. All must outlive the search.
struct SearchCall {
  const Store& store;
  const CallContext& context;
  ReadBudget* budget = nullptr;
  const std::function<void()>* on_due = nullptr;  // as VectorQuery's
};

// One search of one state, whose indexes are loaded. Used by one thread.
class SearchRun {
 public:
  // `search` was checked; it must outlive the run.
  SearchRun(const SearchCall& call, StateRef state, const RecordSearch& search);
  // These rows are not found; ascending.
  void Exclude(std::vector<RowId> rows) { excluded_ = std::move(rows); }
  Result<std::vector<RecordHit>> Run();

  // For tests: how many rows were looked at to make groups.
  size_t grouped_rows() const { return grouped_rows_; }

 private:
  // A row that was found. Whatever is searched by, the best have the least `order`.
  struct Candidate {
    RowId row = kNoRow;
    double order = 0;
  };
  struct Group {
    Scalar value;
    std::vector<Candidate> hits;
    bool complete = false;  // it has no more
  };

  bool by_distance() const;
  Status Restrict();
  Result<std::vector<Candidate>> Find(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindByVector(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindBySparse(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindByText(size_t k, const fields::RowSet* allowed);
  Result<std::vector<Candidate>> FindByBoth(size_t k, const fields::RowSet* allowed);
  std::vector<uint16_t> TextFields() const;
  // How alike the row's vector is to the query, for fusion: larger is more, and a change of scale
  // of all vectors changes nothing or, where vectors are compared by inner products, all alike.
  Result<double> Likeness(RowId row);
  Result<double> Likeness(const Candidate& candidate);

  Result<std::vector<RecordHit>> Plain();
  Result<std::vector<RecordHit>> Grouped();
  Result<std::vector<Group>> FindGroups();
  // Adds what of `found` belongs to new groups.
  Status AddGroups(const std::vector<Candidate>& found, bool complete, std::vector<Group>* groups);
  Result<RecordHit> MakeHit(const Candidate& candidate, const std::string& group);

  const Store& store_;
  const StateRef state_;
  const StoredSpec& spec_;
  const RecordSearch& search_;
  std::vector<RowId> excluded_;
  const CallContext& context_;
  ReadBudget* const budget_;
  const std::function<void()>* const on_due_;
  const VectorField* dense_ = nullptr;
  const SparseField* sparse_ = nullptr;
  bool restricted_ = false;
  fields::RowSet allowed_;
  // Of the first fused search: those that follow, in parts of what that one searched, give scores
  // that can be compared with its own.
  std::optional<FusionWeights> weights_;
  size_t grouped_rows_ = 0;
};

}  // namespace ragstone::index::records

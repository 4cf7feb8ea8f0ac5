#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "index/internal/fields/row_set.h"
#include "index/internal/records_db/record_collection.h"

namespace ragstone::index::records {

// The rows of a state, for keyword search. Indexes must be loaded. Thread-safe.
class StateRowView : public keywords::RowView {
 public:
  explicit StateRowView(StateRef state)
      : state_(std::move(state)), live_(state_->indexes->fields->AllRows()) {}
  std::vector<keywords::RowRange> Hidden(std::span<const keywords::RowRange> rows) const override;
  uint64_t position() const override { return state_->version; }
  uint64_t epoch() const override { return state_->last_gone + 1; }

 private:
  const StateRef state_;
  const fields::RowSet live_;
};

// Tells the merging of keywords which rows there are. Indexes must be loaded.
class StateRowKeeper : public keywords::RowKeeper {
 public:
  explicit StateRowKeeper(const RecordCollection* collection) : collection_(collection) {}
  Result<std::unique_ptr<keywords::RowView>> Now() const override;
  std::vector<keywords::RowRange> Dead(std::span<const keywords::RowRange> rows) const override;
  bool Settled(std::span<const keywords::RowRange> rows) const override;

 private:
  // Null if the collection was dropped or is not loaded.
  StateRef LoadedState() const;

  const RecordCollection* const collection_;
};

struct TextQuery {
  std::string_view text;
  std::vector<uint16_t> fields;  // numbers
  size_t limit = 0;
  const fields::RowSet* allowed = nullptr;  // null: all
  std::vector<RowId> wanted;                // ascending; scored whether found or not
};

// BM25 scores of rows, summed over the fields, the best first: the best `limit` sums, those wanted,
// and others that were met.
Result<std::vector<ScoredRow>> SearchTexts(const StateRef& state, const TextQuery& query,
                                           const CallContext& context);

}  // namespace ragstone::index::records

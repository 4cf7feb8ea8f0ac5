#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "index/internal/fields/field_index.h"
#include "index/internal/keywords/keyword_index.h"
#include "index/internal/records_db/memory_budget.h"
#include "index/internal/records_db/record_coding.h"
#include "index/internal/records_db/sparse_index.h"
#include "index/internal/records_db/vector_set.h"

namespace ragstone::index::records {

// Keyword indexes of a collection's text fields, by the number of the field.
using TextIndexes = std::map<uint16_t, std::shared_ptr<keywords::KeywordIndex>>;

// What one state of a collection shows of its indexes. Immutable.
struct IndexView {
  std::shared_ptr<const fields::FieldSnapshot> fields;  // its rows are the live ones
  std::map<std::string, VectorView, std::less<>> vectors;
  std::map<std::string, std::shared_ptr<const SparseIndex>, std::less<>> sparse;
  std::shared_ptr<MemoryCharge> charge;  // counts for them
};

// One state of a collection: what a write left. Immutable; while somebody holds it, no row that it
// shows is removed.
struct CollectionState {
  SequenceNumber version = 0;
  uint64_t records = 0;
  RowId next_row = 1;  // all rows before were published, or never will be
  // The version of the last write that took a row away, since the start.
  SequenceNumber last_gone = 0;
  std::shared_ptr<const StoredSpec> spec;
  std::shared_ptr<const IndexView> indexes;  // null: not loaded
  std::shared_ptr<const TextIndexes> texts;
};
using StateRef = std::shared_ptr<const CollectionState>;

// The indexes themselves. Changed under the commit lock only.
class Indexes {
 public:
  Indexes(const StoredSpec& spec, size_t seal_rows);

  // --- while they are loaded
  void SetFields(std::unique_ptr<fields::FieldIndex> fields) { fields_ = std::move(fields); }
  void SetCharge(std::shared_ptr<MemoryCharge> charge) { charge_ = std::move(charge); }

  struct Row {
    RowId row = kNoRow;
    const Record* record = nullptr;
  };
  // Makes rows ready that nobody sees yet. If it fails, or if Abandon follows, nobody ever will.
  Status Stage(const std::vector<Row>& added);
  void Abandon(const std::vector<Row>& added);
  struct GoneRowId {
    RowId row = kNoRow;
    SequenceNumber at = 0;
  };
  // Shows what was staged and takes other rows away, as one step.
  void Publish(const std::vector<Row>& added, const std::vector<GoneRowId>& gone);

  // Vectors alone, of rows whose fields are there.
  Status AddVectors(const std::vector<Row>& rows);

  std::shared_ptr<const IndexView> View() const;
  fields::FieldIndex& fields() { return *fields_; }
  std::vector<VectorSet>& vectors() { return vectors_; }
  const std::map<std::string, std::shared_ptr<SparseIndex>, std::less<>>& sparse() {
    return sparse_;
  }
  MemoryCharge& charge() { return *charge_; }
  // Raised once nobody wants them any more, so that nothing is built for them.
  std::atomic<bool>& given_up() { return given_up_; }

 private:
  std::unique_ptr<fields::FieldIndex> fields_;
  std::shared_ptr<MemoryCharge> charge_;
  std::atomic<bool> given_up_{false};
  std::vector<VectorSet> vectors_;
  std::map<std::string, std::shared_ptr<SparseIndex>, std::less<>> sparse_;
};

// The texts of a record under one field, for keyword search.
std::vector<std::string_view> TextsOf(const Record& record, std::string_view field);

uint64_t MemoryBytes(const IndexView& view);

}  // namespace ragstone::index::records

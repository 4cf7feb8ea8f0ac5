#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "index/internal/fields/row_set.h"
#include "index/internal/records_db/vector_part.h"
#include "index/internal/vectors/method.h"
#include "index/internal/vectors/segment.h"

namespace ragstone::index::records {

// How many rows a growing part of the vectors takes, if a collection asks for `seal_rows`.
size_t SealRows(const VectorField& field, size_t seal_rows);

// What sealed parts of one name have to keep to.
struct SealTerms {
  uint64_t memory_bytes = 0;  // that all of them may take together; 0: no limit
  uint64_t set_rows = 0;      // how many rows all of them have; 0: no more than are sealed
  bool compact = false;       // some of them are IVF-PQ already
  const std::atomic<bool>* stop = nullptr;  // raised to give up; may be null
};

// The vectors of one name in memory: sealed parts, and growing ones of which the last takes new
// rows. Changed under the collection's commit lock only.
class VectorSet {
 public:
  // `seal_rows`: a growing part of so many rows is sealed in the background.
  VectorSet(const VectorField& field, size_t seal_rows);

  const VectorField& field() const { return field_; }
  // Adds a row that nobody sees until Publish.
  Status Stage(RowId row, const Vector& vector);
  void Publish();
  void MarkGone(RowId row, SequenceNumber at);
  VectorView View() const;
  const std::vector<std::shared_ptr<VectorPart>>& parts() const { return parts_; }

  // --- while it is loaded
  // A part that was read, before all that grow.
  void AddSealed(std::shared_ptr<VectorPart> part);
  // Whether a part that does not grow has the row.
  bool HasSealed(RowId row) const;

  // For sealing any of it, if all of it may take so much memory.
  SealTerms Terms(uint64_t memory_bytes) const;
  // Those whose recall can be measured anew by queries that were asked.
  std::vector<std::shared_ptr<VectorPart>> PartsToCalibrate() const;
  // What is to become one sealed part; empty if nothing is. With terms, graphs that they do not
  // allow are part of it.
  std::vector<std::shared_ptr<VectorPart>> ChooseParts(const SealTerms& terms = {}) const;
  // Puts `made` in the place of those it was made of. Rows that went meanwhile are marked in it.
  void Replace(const std::vector<std::shared_ptr<VectorPart>>& parts,
               std::shared_ptr<VectorPart> made);

 private:
  const VectorField field_;
  const vectors::VectorSpec spec_;
  const size_t seal_rows_;
  std::vector<std::shared_ptr<VectorPart>> parts_;  // sealed ones first
};

// What is to be asked of the method for so many rows of a set.
vectors::MethodQuestion QuestionOf(const VectorField& field, uint64_t rows, const SealTerms& terms);

// Builds one sealed part from the live rows of several, by the method that the terms allow, and
// calibrates it. `reader` gives vectors that the parts do not hold exactly.
Result<std::shared_ptr<VectorPart>> SealParts(const VectorField& field,
                                              const std::vector<std::shared_ptr<VectorPart>>& parts,
                                              const vectors::ExactReader& reader,
                                              const SealTerms& terms);

// Measures the recall of a part anew by the queries that were asked of it, and sets its ef and its
// reason. Errors are the reader's; CANCELLED if stopped.
Status CalibrateByAsked(const VectorField& field, const vectors::ExactReader& reader,
                        const std::atomic<bool>* stop, VectorPart* part);

// How the vectors are searched, for people.
std::string DescribeVectors(const VectorField& field, const VectorView& view);

// One search of a state's vectors of one name.
struct VectorQuery {
  vectors::VectorData vector = nullptr;
  size_t k = 0;
  size_t ef = 0;
  bool exact = false;
  std::optional<float> distance_max;
  SequenceNumber version = 0;               // of the state
  const fields::RowSet* allowed = nullptr;  // of the state's rows; null: all
  const vectors::ExactReader* reader = nullptr;
  // Called when recall can be measured anew by queries that were asked; may be null.
  const std::function<void()>* on_due = nullptr;
};
// The nearest min(k, matches), nearest first.
Result<std::vector<vectors::Hit>> SearchVectors(const VectorView& view, const VectorQuery& query,
                                                const CallContext& context);

}  // namespace ragstone::index::records

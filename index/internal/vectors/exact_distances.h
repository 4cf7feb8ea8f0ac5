#pragma once

#include <span>
#include <vector>

#include "index/internal/vectors/codes.h"

namespace ragstone::index::vectors {

// Gives vectors as they were written, for the last ranking where only codes are held. Called by
// searching threads, several at once.
class ExactReader {
 public:
  virtual ~ExactReader() = default;
  // Writes the vectors of the rows one after the other.
  virtual Status Read(std::span<const RowId> rows, float* vectors) const = 0;
};

// Distances between one query and any number of rows that are read, of which few are in memory at a
// time. Not thread-safe.
class ExactDistances {
 public:
  static constexpr size_t kRowsAtOnce = 1024;

  // RESOURCE_EXHAUSTED without memory. `rows_max` of a call, for small calls.
  static Result<ExactDistances> Make(const VectorSpec& spec, VectorData query, size_t rows_max);
  // Errors are the reader's.
  Status Measure(const ExactReader& reader, std::span<const RowId> rows, float* distances);
  // The same of at most kRowsAtOnce hits.
  Status Measure(const ExactReader& reader, std::span<Hit> hits);

 private:
  Codes codes_;
  CodedQuery query_;
  std::vector<Slot> slots_;
  std::vector<float> vectors_;
  std::vector<RowId> rows_;
  std::vector<float> distances_;
};

// Sorts hits, the nearest first, and keeps `most`.
void KeepNearest(size_t most, std::vector<Hit>* hits);

}  // namespace ragstone::index::vectors

#pragma once

#include <optional>

#include "index/internal/vectors/codes.h"

namespace ragstone::index::vectors {

// A query for LowerBounds, kept for its memory.
class BoundedQuery {
 private:
  friend class LowerBounds;
  CodedQuery coded_;
  double norm_ = 0;
  double coded_norm_ = 0;
  double error_ = 0;  // distance of the query from what its code stands for
};

// int8 codes of fp32 rows, with the distance of each row from what its code stands for. With both,
// and the inequalities of Cauchy and Schwarz and of the triangle, a quarter of a row's bytes tells
// that it is not near enough, so that a scan reads few rows whole and is exact all the same. One
// thread encodes; what was encoded may be read by any number.
class LowerBounds {
 public:
  // Whether codes save enough for vectors like these.
  static bool Help(const VectorSpec& spec);
  // RESOURCE_EXHAUSTED without memory.
  static Result<LowerBounds> Make(const VectorSpec& spec, size_t rows);

  // `values`: the row as codes of kFloat32 hold it, of length one under cosine.
  void Encode(Slot slot, const float* values);
  void Prepare(VectorData vector, BoundedQuery* query) const;
  // For each row a distance that no kernel for fp32 falls below; NaN where values overflow.
  void Distances(const BoundedQuery& query, const Slot* slots, size_t count, float* out) const;
  uint64_t bytes() const { return codes_.bytes() + facts_.size() * sizeof(Fact); }

 private:
  struct Fact {
    float norm = 0;   // of the row
    float error = 0;  // distance of the row from what its code stands for
  };
  float Bound(const BoundedQuery& query, const Fact& fact, double coded) const;

  Codes codes_;
  std::vector<Fact> facts_;
};

}  // namespace ragstone::index::vectors

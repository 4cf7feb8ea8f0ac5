#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "index/internal/vectors/huge_buffer.h"
#include "index/internal/vectors/kernels.h"
#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// How vectors are held. Values are stored.
enum class CodeKind : uint8_t { kFloat32 = 0, kFloat16 = 1, kInt8 = 2, kBits = 3 };

// Where vectors come from: callers' rows, a segment, several. Const methods are called from several
// threads at once; a pointer holds until the calling thread's next call.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual size_t rows() const = 0;
  virtual RowId id(size_t i) const = 0;
  virtual VectorData vector(size_t i) const = 0;
};

// How codes are made from vectors. Part of a stored segment.
struct CodePlan {
  CodeKind kind = CodeKind::kFloat32;
  Metric metric = Metric::kCosine;
  uint32_t dimensions = 0;
  // Subtracted before coding; empty: nothing is.
  std::vector<float> centre;
  // int8: the value of one step for all rows; 0: each row has its own.
  float step = 0;

  size_t units() const;  // of kRowUnit bytes
  bool row_steps() const { return kind == CodeKind::kInt8 && step == 0; }
  bool row_norms() const { return kind == CodeKind::kInt8 && metric == Metric::kL2; }
};

// The codes a graph over such vectors is walked by. Vectors of few dimensions are held as they are,
// whatever their storage.
CodeKind WalkKind(const VectorSpec& spec);
// Chooses the centre and the step from (a sample of) the vectors. `largest_seen`: what Encode
// returned with an earlier plan.
CodePlan PlanCodes(CodeKind kind, const VectorSpec& spec, const RowSource& source,
                   float largest_seen = 0);

// A query made ready for codes of one plan. Reused from query to query.
class CodedQuery {
 public:
  const uint8_t* data() const { return values_.data(); }

 private:
  friend class Codes;
  uint8_t* Reserve(size_t bytes);

  HugeBuffer values_;
  float step_ = 0;
  float norm_ = 0;
  int32_t offset_ = 0;
};

// Rows of codes in one piece of memory. Distances are as in Hit; of int8 and bits they are
// approximate, for kBits of float vectors only their order means something. Thread-safe once
// filled; different rows may be filled by different threads.
class Codes {
 public:
  Codes() = default;
  // RESOURCE_EXHAUSTED without memory.
  static Result<Codes> Make(CodePlan plan, size_t rows);

  // Returns 0, or the row's largest value where the plan's common step cut it by so much that the
  // plan should be made anew.
  float Encode(Slot slot, VectorData vector);
  // Takes a row over from codes of the same plan.
  void CopyRow(Slot slot, const Codes& from, Slot from_slot);

  void Prepare(VectorData vector, CodedQuery* query) const;
  // As if the row's vector were the query.
  void PrepareRow(Slot slot, CodedQuery* query) const;
  void Distances(const CodedQuery& query, const Slot* slots, size_t count, float* out) const;
  // Not for kBits: what is left of the vector. Normalised under cosine.
  void Decode(Slot slot, float* vector) const;
  // The same of a query, of int8 only.
  void DecodeQuery(const CodedQuery& query, float* vector) const;

  void Prefetch(Slot slot) const {
    const uint8_t* row = rows_data_.data() + size_t{slot} * stride_;
    for (size_t line = 0; line < prefetch_lines_; ++line) {
      __builtin_prefetch(row + line * kRowUnit);
    }
    if (!factors_.empty()) __builtin_prefetch(&factors_[slot]);
    if (!norms_.empty()) __builtin_prefetch(&norms_[slot]);
  }

  std::string_view RowView(Slot slot) const {
    return {reinterpret_cast<const char*>(Row(slot)), stride_};
  }
  // Whether no query tells the two apart.
  bool EqualRows(Slot a, Slot b) const {
    return RowView(a) == RowView(b) && (factors_.empty() || factors_[a] == factors_[b]);
  }

  // For codes from outside: no value, step or norm is infinite or NaN.
  bool AllFinite() const;

  const CodePlan& plan() const { return plan_; }
  size_t rows() const { return rows_; }
  uint64_t bytes() const;
  // Whole for storing: rows, then steps and norms where the plan has them.
  std::span<uint8_t> row_bytes() { return {rows_data_.data(), rows_ * stride_}; }
  std::span<const uint8_t> row_bytes() const { return {rows_data_.data(), rows_ * stride_}; }
  std::span<float> factors() { return factors_; }
  std::span<const float> factors() const { return factors_; }
  std::span<float> norms() { return norms_; }
  std::span<const float> norms() const { return norms_; }
  // The tier of kernels to use instead of the best; for tests and benchmarks.
  void UseKernels(const Kernels* kernels) { kernels_ = kernels; }

 private:
  uint8_t* Row(Slot slot) { return rows_data_.data() + size_t{slot} * stride_; }
  const uint8_t* Row(Slot slot) const { return rows_data_.data() + size_t{slot} * stride_; }
  float EncodeBytes(Slot slot, const float* values);
  void IntDistances(const CodedQuery& query, const Slot* slots, size_t count, float* out) const;

  CodePlan plan_;
  const Kernels* kernels_ = nullptr;
  size_t rows_ = 0;
  size_t units_ = 0;
  size_t stride_ = 0;
  size_t prefetch_lines_ = 0;
  HugeBuffer rows_data_;
  HugeBuffer ones_;             // int8: the query that adds a row's codes up
  std::vector<float> factors_;  // steps of rows
  std::vector<float> norms_;    // squared lengths of what rows stand for
};

}  // namespace ragstone::index::vectors

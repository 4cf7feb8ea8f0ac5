#include "index/internal/vectors/lower_bounds.h"

#include <algorithm>
#include <cmath>

namespace ragstone::index::vectors {
namespace {

// More than fp32 sums of 8192 products in 16 or more lanes, and the sums here, are off by; of the
// product of the lengths.
constexpr double kRounding = 3e-5;

double NormOf(const float* values, size_t size) {
  double sum = 0;
  for (size_t i = 0; i < size; ++i) sum += double{values[i]} * values[i];
  return std::sqrt(sum);
}

double DistanceOf(const float* a, const float* b, size_t size) {
  double sum = 0;
  for (size_t i = 0; i < size; ++i) {
    const double difference = double{a[i]} - b[i];
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

}  // namespace

bool LowerBounds::Help(const VectorSpec& spec) {
  VectorSpec floats = spec;
  floats.storage = Storage::kFloat32;
  return WalkKind(floats) == CodeKind::kInt8;
}

Result<LowerBounds> LowerBounds::Make(const VectorSpec& spec, size_t rows) {
  CodePlan plan;
  plan.kind = CodeKind::kInt8;
  plan.metric = spec.metric;
  plan.dimensions = spec.dimensions;
  LowerBounds bounds;
  ASSIGN_OR_RETURN(bounds.codes_, Codes::Make(std::move(plan), rows));
  bounds.facts_.resize(rows);
  return bounds;
}

void LowerBounds::Encode(Slot slot, const float* values) {
  codes_.Encode(slot, values);
  const size_t size = codes_.plan().dimensions;
  thread_local std::vector<float> decoded;
  decoded.resize(size);
  codes_.Decode(slot, decoded.data());
  facts_[slot].norm = static_cast<float>(NormOf(values, size));
  facts_[slot].error = static_cast<float>(DistanceOf(values, decoded.data(), size));
}

void LowerBounds::Prepare(VectorData vector, BoundedQuery* query) const {
  const size_t size = codes_.plan().dimensions;
  const auto* given = static_cast<const float*>(vector);
  thread_local std::vector<float> values;
  values.assign(given, given + size);
  if (codes_.plan().metric == Metric::kCosine) Normalise(values.data(), size);
  codes_.Prepare(values.data(), &query->coded_);
  thread_local std::vector<float> decoded;
  decoded.resize(size);
  codes_.DecodeQuery(query->coded_, decoded.data());
  query->norm_ = NormOf(values.data(), size);
  query->coded_norm_ = NormOf(decoded.data(), size);
  query->error_ = DistanceOf(values.data(), decoded.data(), size);
}

float LowerBounds::Bound(const BoundedQuery& query, const Fact& fact, double coded) const {
  if (codes_.plan().metric != Metric::kL2) {
    const double error = query.norm_ * fact.error + query.error_ * (double{fact.norm} + fact.error);
    return static_cast<float>(coded - error - kRounding * query.norm_ * fact.norm);
  }
  // The codes' own distance took the query's norm for that of its code.
  const double squares = query.norm_ * query.norm_ + double{fact.norm} * fact.norm;
  const double between = coded - query.norm_ * query.norm_ + query.coded_norm_ * query.coded_norm_ -
                         kRounding * squares;
  const double root = std::sqrt(std::max(between, 0.0)) - query.error_ - fact.error;
  return root > 0 ? static_cast<float>(root * root * (1 - kRounding)) : 0.0f;
}

void LowerBounds::Distances(const BoundedQuery& query, const Slot* slots, size_t count,
                            float* out) const {
  codes_.Distances(query.coded_, slots, count, out);
  for (size_t i = 0; i < count; ++i) out[i] = Bound(query, facts_[slots[i]], out[i]);
}

}  // namespace ragstone::index::vectors

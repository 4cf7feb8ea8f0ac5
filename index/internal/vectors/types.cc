#include "index/internal/vectors/types.h"

#include <cmath>

namespace ragstone::index::vectors {
namespace {

constexpr float kHalfMax = 65504.0f;
// Products of larger values would overflow a float32 sum at the largest dimension.
constexpr float kFloatMax = 1e16f;

}  // namespace

std::string_view MetricName(Metric metric) {
  switch (metric) {
    case Metric::kInnerProduct:
      return "inner product";
    case Metric::kCosine:
      return "cosine";
    case Metric::kL2:
      return "L2";
    case Metric::kHamming:
      break;
  }
  return "Hamming";
}

std::string_view StorageName(Storage storage) {
  switch (storage) {
    case Storage::kFloat32:
      return "fp32";
    case Storage::kFloat16:
      return "fp16";
    case Storage::kInt8:
      return "int8";
    case Storage::kBinary:
      break;
  }
  return "binary";
}

size_t InputBytes(const VectorSpec& spec) {
  return spec.metric == Metric::kHamming ? (spec.dimensions + size_t{7}) / 8
                                         : size_t{spec.dimensions} * sizeof(float);
}

Status CheckSpec(const VectorSpec& spec) {
  if (spec.dimensions < 1 || spec.dimensions > kDimensionsMax) {
    return InvalidArgument(Reason::kInvalidArgument, "a vector of " +
                                                         std::to_string(spec.dimensions) +
                                                         " dimensions is not possible: give 1 to " +
                                                         std::to_string(kDimensionsMax));
  }
  if (spec.metric > Metric::kHamming || spec.storage > Storage::kBinary) {
    return InvalidArgument(Reason::kInvalidArgument, "the metric or the storage is unknown");
  }
  if (spec.metric == Metric::kHamming && spec.storage != Storage::kBinary) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "bit vectors (metric Hamming) are stored as binary, not as " +
                               std::string(StorageName(spec.storage)));
  }
  return OkStatus();
}

Status CheckVector(const VectorSpec& spec, VectorData vector) {
  if (spec.metric == Metric::kHamming) {
    const auto* bytes = static_cast<const uint8_t*>(vector);
    const uint32_t used = spec.dimensions % 8;
    if (used != 0 && bytes[InputBytes(spec) - 1] >> used != 0) {
      return InvalidArgument(Reason::kInvalidArgument, "the bit vector has bits set beyond its " +
                                                           std::to_string(spec.dimensions) +
                                                           " dimensions");
    }
    return OkStatus();
  }
  const auto* values = static_cast<const float*>(vector);
  const float largest = spec.storage == Storage::kFloat16 ? kHalfMax : kFloatMax;
  double norm = 0;
  for (uint32_t i = 0; i < spec.dimensions; ++i) {
    if (!(std::abs(values[i]) <= largest)) {
      return InvalidArgument(Reason::kInvalidArgument,
                             "value " + std::to_string(i) + " of the vector is " +
                                 std::to_string(values[i]) + "; with storage " +
                                 std::string(StorageName(spec.storage)) +
                                 " it must be finite and at most " + std::to_string(largest));
    }
    norm += double{values[i]} * values[i];
  }
  if (spec.metric == Metric::kCosine && norm == 0) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "a zero vector has no direction, which metric cosine needs; use "
                           "another metric or leave the vector out");
  }
  return OkStatus();
}

void Normalise(float* values, size_t size) {
  double norm = 0;
  for (size_t i = 0; i < size; ++i) norm += double{values[i]} * values[i];
  if (norm == 0) return;
  const double exact = 1.0 / std::sqrt(norm);
  const auto factor = static_cast<float>(exact);
  if (std::isfinite(factor)) {
    for (size_t i = 0; i < size; ++i) values[i] *= factor;
    return;
  }
  // The factor of a vector of tiny values is beyond what a float32 holds; its products are not.
  for (size_t i = 0; i < size; ++i) values[i] = static_cast<float>(values[i] * exact);
}

}  // namespace ragstone::index::vectors

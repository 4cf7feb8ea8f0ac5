#include "index/internal/vectors/codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "index/internal/vectors/half.h"
#include "index/internal/vectors/kernel_tiers.h"

namespace ragstone::index::vectors {
namespace {

constexpr int kZero = 128;        // what int8 codes are shifted by
constexpr float kSteps = 127.0f;  // on each side of it
constexpr size_t kSampleRows = 20'000;
// Prefetching more than this of a row displaces other rows; the processor follows long ones itself.
constexpr size_t kPrefetchLines = 8;
constexpr size_t kBlockSlots = 64;
// A row whose largest value is cut to less than this part of it ranks where it does not belong.
constexpr float kCutMax = 1.2f;
// Of shorter vectors codes would save little and tell too little apart: many rows would have the
// same code, and only some of them would be ranked by their vectors.
constexpr uint32_t kInt8DimensionsMin = 64;
constexpr uint32_t kBitsDimensionsMin = 256;

uint16_t ToHalf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const float magnitude = std::min(std::abs(value), 65504.0f);
  if (magnitude < 0x1p-14f) {  // denormal: a whole number of 2^-24
    return static_cast<uint16_t>(sign | std::lrint(magnitude * 0x1p24f));
  }
  std::memcpy(&bits, &magnitude, 4);
  bits += 0xfff + (bits >> 13 & 1);  // to nearest, ties to even
  return static_cast<uint16_t>(sign | ((bits >> 13) - (112u << 10)));
}

float LargestOf(const float* values, size_t size) {
  float largest = 0;
  for (size_t i = 0; i < size; ++i) largest = std::max(largest, std::abs(values[i]));
  return largest;
}

// The vector as codes see it: of length one under cosine, without the centre.
std::vector<float>& Shaped(const CodePlan& plan, VectorData vector) {
  thread_local std::vector<float> shaped;
  const auto* values = static_cast<const float*>(vector);
  shaped.assign(values, values + plan.dimensions);
  if (plan.metric == Metric::kCosine) Normalise(shaped.data(), shaped.size());
  if (!plan.centre.empty()) {
    for (uint32_t i = 0; i < plan.dimensions; ++i) shaped[i] -= plan.centre[i];
  }
  return shaped;
}

size_t StepBetweenSamples(size_t rows) { return std::max<size_t>(1, rows / kSampleRows); }

}  // namespace

size_t CodePlan::units() const {
  size_t bytes = dimensions;
  if (kind == CodeKind::kFloat32) bytes *= 4;
  if (kind == CodeKind::kFloat16) bytes *= 2;
  if (kind == CodeKind::kBits) bytes = (bytes + 7) / 8;
  return (bytes + kRowUnit - 1) / kRowUnit;
}

CodeKind WalkKind(const VectorSpec& spec) {
  if (spec.metric == Metric::kHamming) return CodeKind::kBits;
  if (spec.storage == Storage::kBinary && spec.dimensions >= kBitsDimensionsMin) {
    return CodeKind::kBits;
  }
  if (spec.dimensions >= kInt8DimensionsMin) return CodeKind::kInt8;
  return spec.storage == Storage::kFloat16 ? CodeKind::kFloat16 : CodeKind::kFloat32;
}

CodePlan PlanCodes(CodeKind kind, const VectorSpec& spec, const RowSource& source,
                   float largest_seen) {
  CodePlan plan;
  plan.kind = kind;
  plan.metric = spec.metric;
  plan.dimensions = spec.dimensions;
  if (spec.metric == Metric::kHamming || source.rows() == 0) return plan;
  const size_t between = StepBetweenSamples(source.rows());
  // Translation changes no L2 distance and makes values smaller. Signs say most about vectors
  // around zero, whatever the metric.
  if (kind == CodeKind::kBits || (kind == CodeKind::kInt8 && spec.metric == Metric::kL2)) {
    std::vector<double> sums(spec.dimensions, 0.0);
    size_t samples = 0;
    for (size_t i = 0; i < source.rows(); i += between, ++samples) {
      const std::vector<float>& shaped = Shaped(plan, source.vector(i));
      for (uint32_t d = 0; d < spec.dimensions; ++d) sums[d] += shaped[d];
    }
    for (const double sum : sums) {
      plan.centre.push_back(static_cast<float>(sum / static_cast<double>(samples)));
    }
  }
  if (kind != CodeKind::kInt8) return plan;
  std::vector<float> largest;
  for (size_t i = 0; i < source.rows(); i += between) {
    largest.push_back(LargestOf(Shaped(plan, source.vector(i)).data(), spec.dimensions));
  }
  std::sort(largest.begin(), largest.end());
  // One step for all saves memory and a cache line for each row visited. It costs all but one row
  // in a hundred little more than a bit, and of one in a thousand it may cut the largest values a
  // little; whoever encodes all rows sees whether it is more.
  const float common = std::max(largest_seen, largest[largest.size() - 1 - largest.size() / 1000]);
  const float small = largest[largest.size() / 100];
  if (common > 0 && common <= 2.5f * small) plan.step = common / kSteps;
  return plan;
}

uint8_t* CodedQuery::Reserve(size_t bytes) {
  if (values_.size() < bytes) {
    Result<HugeBuffer> made = HugeBuffer::Make(bytes);
    CHECK(made.ok());  // a few kB
    values_ = std::move(*made);
  }
  return values_.data();
}

Result<Codes> Codes::Make(CodePlan plan, size_t rows) {
  Codes codes;
  codes.plan_ = std::move(plan);
  codes.kernels_ = &BestKernels();
  codes.rows_ = rows;
  codes.units_ = codes.plan_.units();
  codes.stride_ = codes.units_ * kRowUnit;
  codes.prefetch_lines_ = std::min(codes.units_, kPrefetchLines);
  ASSIGN_OR_RETURN(codes.rows_data_, HugeBuffer::Make(rows * codes.stride_));
  if (codes.plan_.kind == CodeKind::kInt8) {
    ASSIGN_OR_RETURN(codes.ones_, HugeBuffer::Make(codes.stride_));
    std::memset(codes.ones_.data(), 1, codes.stride_);
  }
  if (codes.plan_.row_steps()) codes.factors_.resize(rows);
  if (codes.plan_.row_norms()) codes.norms_.resize(rows);
  return codes;
}

float Codes::Encode(Slot slot, VectorData vector) {
  uint8_t* row = Row(slot);
  if (plan_.metric == Metric::kHamming) {
    std::memcpy(row, vector, (plan_.dimensions + 7) / 8);
    return 0;
  }
  const std::vector<float>& values = Shaped(plan_, vector);
  switch (plan_.kind) {
    case CodeKind::kFloat32:
      std::memcpy(row, values.data(), values.size() * sizeof(float));
      break;
    case CodeKind::kFloat16:
      for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t half = ToHalf(values[i]);
        std::memcpy(row + 2 * i, &half, 2);
      }
      break;
    case CodeKind::kInt8:
      return EncodeBytes(slot, values.data());
    case CodeKind::kBits:
      std::memset(row, 0, stride_);
      for (size_t i = 0; i < values.size(); ++i) {
        if (values[i] > 0) row[i / 8] = static_cast<uint8_t>(row[i / 8] | 1u << i % 8);
      }
      break;
  }
  return 0;
}

float Codes::EncodeBytes(Slot slot, const float* values) {
  uint8_t* row = Row(slot);
  const float largest = LargestOf(values, plan_.dimensions);
  float step = plan_.step;
  if (step == 0) {
    step = largest / kSteps;
    factors_[slot] = step;
  }
  const float factor = step > 0 ? 1.0f / step : 0.0f;
  int64_t squares = 0;
  std::memset(row, kZero, stride_);
  for (uint32_t i = 0; i < plan_.dimensions; ++i) {
    const int code = static_cast<int>(std::lrint(std::clamp(values[i] * factor, -kSteps, kSteps)));
    row[i] = static_cast<uint8_t>(code + kZero);
    squares += int64_t{code} * code;
  }
  if (!norms_.empty()) {
    norms_[slot] = static_cast<float>(static_cast<double>(squares) * step * step);
  }
  return largest > kCutMax * kSteps * step ? largest : 0;
}

void Codes::CopyRow(Slot slot, const Codes& from, Slot from_slot) {
  std::memcpy(Row(slot), from.Row(from_slot), stride_);
  if (!factors_.empty()) factors_[slot] = from.factors_[from_slot];
  if (!norms_.empty()) norms_[slot] = from.norms_[from_slot];
}

void Codes::Prepare(VectorData vector, CodedQuery* query) const {
  if (plan_.kind == CodeKind::kBits) {
    uint8_t* bits = query->Reserve(stride_);
    std::memset(bits, 0, stride_);
    if (plan_.metric == Metric::kHamming) {
      std::memcpy(bits, vector, (plan_.dimensions + 7) / 8);
      return;
    }
    const std::vector<float>& values = Shaped(plan_, vector);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] > 0) bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | 1u << i % 8);
    }
    return;
  }
  const std::vector<float>& values = Shaped(plan_, vector);
  if (plan_.kind != CodeKind::kInt8) {
    const size_t size = stride_ / (plan_.kind == CodeKind::kFloat16 ? 2 : 4);
    uint8_t* floats = query->Reserve(size * sizeof(float));
    std::memset(floats, 0, size * sizeof(float));
    std::memcpy(floats, values.data(), values.size() * sizeof(float));
    return;
  }
  auto* codes = reinterpret_cast<int8_t*>(query->Reserve(stride_));
  std::memset(codes, 0, stride_);
  query->step_ = LargestOf(values.data(), values.size()) / kSteps;
  const float factor = query->step_ > 0 ? 1.0f / query->step_ : 0.0f;
  int32_t sum = 0;
  double norm = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    codes[i] = static_cast<int8_t>(std::lrint(values[i] * factor));
    sum += codes[i];
    norm += double{values[i]} * values[i];
  }
  query->offset_ = sum * kZero;
  query->norm_ = static_cast<float>(norm);
}

void Codes::PrepareRow(Slot slot, CodedQuery* query) const {
  const uint8_t* row = Row(slot);
  switch (plan_.kind) {
    case CodeKind::kFloat32:
    case CodeKind::kBits:
      std::memcpy(query->Reserve(stride_), row, stride_);
      return;
    case CodeKind::kFloat16: {
      uint8_t* floats = query->Reserve(stride_ * 2);
      for (size_t i = 0; i < stride_ / 2; ++i) {
        uint16_t half;
        std::memcpy(&half, row + 2 * i, 2);
        const float value = HalfToFloat(half);
        std::memcpy(floats + 4 * i, &value, 4);
      }
      return;
    }
    case CodeKind::kInt8:
      break;
  }
  uint8_t* codes = query->Reserve(stride_);
  for (size_t i = 0; i < stride_; i += 8) {
    uint64_t part;
    std::memcpy(&part, row + i, 8);
    part ^= 0x8080808080808080u;
    std::memcpy(codes + i, &part, 8);
  }
  int32_t sum = 0;
  const Rows rows = {rows_data_.data(), stride_, &slot, 1};
  kernels_->dot_u8(reinterpret_cast<const int8_t*>(ones_.data()), rows, units_, &sum);
  query->offset_ = (sum - kZero * static_cast<int32_t>(stride_)) * kZero;
  query->step_ = factors_.empty() ? plan_.step : factors_[slot];
  query->norm_ = norms_.empty() ? 0 : norms_[slot];
}

void Codes::Distances(const CodedQuery& query, const Slot* slots, size_t count, float* out) const {
  const Rows rows = {rows_data_.data(), stride_, slots, count};
  const auto* floats = reinterpret_cast<const float*>(query.data());
  const bool squared = plan_.metric == Metric::kL2;
  switch (plan_.kind) {
    case CodeKind::kFloat32:
      (squared ? kernels_->l2_f32 : kernels_->dot_f32)(floats, rows, units_, out);
      break;
    case CodeKind::kFloat16:
      (squared ? kernels_->l2_f16 : kernels_->dot_f16)(floats, rows, units_, out);
      break;
    case CodeKind::kInt8:
    case CodeKind::kBits:
      IntDistances(query, slots, count, out);
      return;
  }
  if (!squared) {
    for (size_t i = 0; i < count; ++i) out[i] = -out[i];
  }
}

void Codes::IntDistances(const CodedQuery& query, const Slot* slots, size_t count,
                         float* out) const {
  int32_t sums[kBlockSlots];
  for (size_t begin = 0; begin < count; begin += kBlockSlots) {
    const size_t block = std::min(kBlockSlots, count - begin);
    const Slot* ids = slots + begin;
    const Rows rows = {rows_data_.data(), stride_, ids, block};
    if (plan_.kind == CodeKind::kBits) {
      kernels_->hamming(reinterpret_cast<const uint64_t*>(query.data()), rows, units_, sums);
      for (size_t i = 0; i < block; ++i) out[begin + i] = static_cast<float>(sums[i]);
      continue;
    }
    kernels_->dot_u8(reinterpret_cast<const int8_t*>(query.data()), rows, units_, sums);
    if (factors_.empty() && norms_.empty()) {
      const float factor = -query.step_ * plan_.step;
      for (size_t i = 0; i < block; ++i) {
        out[begin + i] = static_cast<float>(sums[i] - query.offset_) * factor;
      }
      continue;
    }
    for (size_t i = 0; i < block; ++i) {
      const float step = factors_.empty() ? plan_.step : factors_[ids[i]];
      const float dot = static_cast<float>(sums[i] - query.offset_) * query.step_ * step;
      out[begin + i] = norms_.empty() ? -dot : norms_[ids[i]] + query.norm_ - 2 * dot;
    }
  }
}

void Codes::Decode(Slot slot, float* vector) const {
  const uint8_t* row = Row(slot);
  for (uint32_t i = 0; i < plan_.dimensions; ++i) {
    if (plan_.kind == CodeKind::kFloat32) {
      std::memcpy(vector + i, row + 4 * size_t{i}, 4);
    } else if (plan_.kind == CodeKind::kFloat16) {
      uint16_t half;
      std::memcpy(&half, row + 2 * size_t{i}, 2);
      vector[i] = HalfToFloat(half);
    } else {
      const float step = factors_.empty() ? plan_.step : factors_[slot];
      vector[i] = static_cast<float>(row[i] - kZero) * step;
    }
    if (!plan_.centre.empty()) vector[i] += plan_.centre[i];
  }
}

void Codes::DecodeQuery(const CodedQuery& query, float* vector) const {
  const auto* codes = reinterpret_cast<const int8_t*>(query.data());
  for (uint32_t i = 0; i < plan_.dimensions; ++i) {
    vector[i] = static_cast<float>(codes[i]) * query.step_;
    if (!plan_.centre.empty()) vector[i] += plan_.centre[i];
  }
}

bool Codes::AllFinite() const {
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(factors_.begin(), factors_.end(), finite) ||
      !std::all_of(norms_.begin(), norms_.end(), finite)) {
    return false;
  }
  if (plan_.kind != CodeKind::kFloat32 && plan_.kind != CodeKind::kFloat16) return true;
  // Infinity and NaN have all bits of the exponent set, in the last bytes of a value.
  const size_t size = plan_.kind == CodeKind::kFloat32 ? 4 : 2;
  const uint32_t exponent = size == 4 ? 0x7f800000 : 0x7c00;
  const std::span<const uint8_t> bytes = row_bytes();
  for (size_t at = 0; at + size <= bytes.size(); at += size) {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, size);
    if ((value & exponent) == exponent) return false;
  }
  return true;
}

uint64_t Codes::bytes() const {
  return rows_data_.allocated() + (factors_.size() + norms_.size()) * sizeof(float);
}

}  // namespace ragstone::index::vectors

#include "llm/encoder/gpu/gpu_weights.h"

#include <cmath>

#include "llm/float16.h"

namespace ragstone::llm::gpu {
namespace {

constexpr float kHalfMax = 65504;

}  // namespace

Result<const void*> WeightLoader::Copy(const void* values, size_t bytes) {
  ASSIGN_OR_RETURN(std::shared_ptr<void> memory, gpu_->Allocate(bytes));
  RETURN_IF_ERROR(gpu_->Upload(memory.get(), values, bytes));
  memory_->push_back(std::move(memory));
  return static_cast<const void*>(memory_->back().get());
}

Result<const void*> WeightLoader::Typed(const std::vector<float>& values, const std::string& what) {
  const Type type = gpu_->info().type;
  for (const float value : values) {
    if (std::isfinite(value) && (type != Type::kF16 || std::abs(value) <= kHalfMax)) continue;
    return InvalidArgument(Reason::kModelCorrupt,
                           "the embedding model's " + what +
                               " has values that are no numbers, or too large for this GPU; import "
                               "the model again from a complete download");
  }
  if (type == Type::kF32) return Copy(values.data(), values.size() * sizeof(float));
  std::vector<uint16_t> rounded(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    rounded[i] = type == Type::kF16 ? ToHalf(values[i]) : ToBfloat16(values[i]);
  }
  return Copy(rounded.data(), rounded.size() * sizeof(uint16_t));
}

Result<const void*> WeightLoader::Matrices(const std::vector<const FloatMatrix*>& matrices,
                                           const std::string& what) {
  std::vector<float> values;
  for (const FloatMatrix* matrix : matrices) {
    const size_t begin = values.size();
    values.resize(begin + size_t{matrix->rows} * matrix->columns);
    for (uint32_t row = 0; row < matrix->rows; ++row) {
      matrix->ReadRow(row, values.data() + begin + size_t{row} * matrix->columns);
    }
  }
  return Typed(values, what);
}

Result<const void*> WeightLoader::Weights(const std::vector<const BertLinear*>& linears) {
  std::vector<const FloatMatrix*> matrices;
  for (const BertLinear* linear : linears) matrices.push_back(&linear->weight);
  return Matrices(matrices, "weight matrices");
}

Result<const void*> WeightLoader::TypedBias(const std::vector<const BertLinear*>& linears) {
  std::vector<float> values;
  for (const BertLinear* linear : linears) {
    values.insert(values.end(), linear->bias.begin(), linear->bias.end());
  }
  return Typed(values, "biases");
}

Result<const float*> WeightLoader::Floats(const std::vector<float>& values) {
  ASSIGN_OR_RETURN(const void* copied, Copy(values.data(), values.size() * sizeof(float)));
  return static_cast<const float*>(copied);
}

Result<const float*> WeightLoader::Positions(const BertModel& model) {
  const uint32_t hidden = model.config.hidden;
  std::vector<float> type(hidden);
  model.type_embeddings.ReadRow(0, type.data());
  std::vector<float> values(size_t{model.config.positions} * hidden);
  for (uint32_t row = 0; row < model.config.positions; ++row) {
    float* position = values.data() + size_t{row} * hidden;
    model.position_embeddings.ReadRow(row, position);
    for (uint32_t i = 0; i < hidden; ++i) position[i] += type[i];
  }
  return Floats(values);
}

Result<Norm> WeightLoader::Normalization(const BertNorm& norm) {
  Norm copied;
  ASSIGN_OR_RETURN(copied.gamma, Floats(norm.gamma));
  ASSIGN_OR_RETURN(copied.beta, Floats(norm.beta));
  copied.epsilon = norm_epsilon_;
  return copied;
}

}  // namespace ragstone::llm::gpu

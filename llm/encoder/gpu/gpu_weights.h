#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "llm/encoder/bert_model.h"
#include "llm/encoder/gpu/gpu.h"

namespace ragstone::llm::gpu {

// Copies weights to a GPU: matrices in the GPU's type, what is added as floats. INVALID_ARGUMENT
// (MODEL_CORRUPT) for values that are no numbers, or beyond the range of the GPU's type.
class WeightLoader {
 public:
  // What is copied stays as long as the entries of `memory`.
  WeightLoader(Gpu* gpu, float norm_epsilon, std::vector<std::shared_ptr<void>>* memory)
      : gpu_(gpu), norm_epsilon_(norm_epsilon), memory_(memory) {}

  // Matrices of as many columns, one below the other. `what` names them in messages.
  Result<const void*> Matrices(const std::vector<const FloatMatrix*>& matrices,
                               const std::string& what);
  Result<const void*> Weights(const std::vector<const BertLinear*>& linears);
  // The biases one after the other, in the GPU's type.
  Result<const void*> TypedBias(const std::vector<const BertLinear*>& linears);
  Result<const float*> Floats(const std::vector<float>& values);
  // Position embeddings with that of token type 0 added.
  Result<const float*> Positions(const BertModel& model);
  Result<Norm> Normalization(const BertNorm& norm);

 private:
  Result<const void*> Typed(const std::vector<float>& values, const std::string& what);
  Result<const void*> Copy(const void* values, size_t bytes);

  Gpu* const gpu_;
  const float norm_epsilon_;
  std::vector<std::shared_ptr<void>>* const memory_;
};

}  // namespace ragstone::llm::gpu

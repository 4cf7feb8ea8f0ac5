#pragma once

#include <cublasLt.h>

#include <map>
#include <memory>
#include <tuple>

#include "base/status.h"
#include "llm/encoder/gpu/gpu.h"

namespace ragstone::llm::gpu {

// Matrix products of one queue by cuBLASLt. The kernel of a shape is chosen by cuBLASLt's
// heuristics at its first use and kept. For one thread at a time.
class CublasProducts {
 public:
  // `workspace` of `workspace_bytes` is device memory that only this queue uses.
  static Result<std::unique_ptr<CublasProducts>> Create(Type type, void* workspace,
                                                        size_t workspace_bytes);
  ~CublasProducts();
  CublasProducts(const CublasProducts&) = delete;
  CublasProducts& operator=(const CublasProducts&) = delete;

  Status Multiply(const MultiplyCall& call, cudaStream_t stream);

 private:
  using Shape = std::tuple<uint32_t, uint32_t, uint32_t, bool>;  // rows, outputs, inputs, bias
  struct Plan;

  CublasProducts(Type type, void* workspace, size_t workspace_bytes);
  Result<Plan*> PlanOf(const MultiplyCall& call);
  Status Choose(Plan* plan) const;

  const Type type_;
  void* const workspace_;
  const size_t workspace_bytes_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<Shape, std::unique_ptr<Plan>> plans_;
};

}  // namespace ragstone::llm::gpu

#include "llm/encoder/cuda/cublas.h"

#include <string>

namespace ragstone::llm::gpu {
namespace {

Status ToStatus(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return OkStatus();
  return Unavailable(Reason::kWorkerUnavailable, std::string("the GPU cannot ") + what + ": " +
                                                     cublasLtGetStatusString(status));
}

cudaDataType_t DataType(Type type) {
  switch (type) {
    case Type::kF16:
      return CUDA_R_16F;
    case Type::kBf16:
      return CUDA_R_16BF;
    case Type::kF32:
      break;
  }
  return CUDA_R_32F;
}

}  // namespace

// cuBLASLt's matrices are column-major, so the product is outputᵀ = weight · inputᵀ there.
struct CublasProducts::Plan {
  ~Plan() {
    if (weight != nullptr) cublasLtMatrixLayoutDestroy(weight);
    if (input != nullptr) cublasLtMatrixLayoutDestroy(input);
    if (output != nullptr) cublasLtMatrixLayoutDestroy(output);
    if (product != nullptr) cublasLtMatmulDescDestroy(product);
  }
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t weight = nullptr, input = nullptr, output = nullptr;
  cublasLtMatmulAlgo_t kernel{};
};

CublasProducts::CublasProducts(Type type, void* workspace, size_t workspace_bytes)
    : type_(type), workspace_(workspace), workspace_bytes_(workspace_bytes) {}

Result<std::unique_ptr<CublasProducts>> CublasProducts::Create(Type type, void* workspace,
                                                               size_t workspace_bytes) {
  std::unique_ptr<CublasProducts> products(new CublasProducts(type, workspace, workspace_bytes));
  RETURN_IF_ERROR(ToStatus(cublasLtCreate(&products->handle_), "start cuBLASLt"));
  return products;
}

CublasProducts::~CublasProducts() {
  plans_.clear();
  if (handle_ != nullptr) cublasLtDestroy(handle_);
}

Status CublasProducts::Choose(Plan* plan) const {
  cublasLtMatmulPreference_t preference = nullptr;
  RETURN_IF_ERROR(ToStatus(cublasLtMatmulPreferenceCreate(&preference), "multiply"));
  cublasStatus_t status =
      cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                           &workspace_bytes_, sizeof(workspace_bytes_));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  if (status == CUBLAS_STATUS_SUCCESS) {
    status =
        cublasLtMatmulAlgoGetHeuristic(handle_, plan->product, plan->weight, plan->input,
                                       plan->output, plan->output, preference, 1, &result, &found);
  }
  cublasLtMatmulPreferenceDestroy(preference);
  RETURN_IF_ERROR(ToStatus(status, "choose a kernel of a matrix product"));
  if (found == 0 || result.state != CUBLAS_STATUS_SUCCESS) {
    return Unavailable(Reason::kWorkerUnavailable,
                       "cuBLASLt has no kernel for a matrix product of the model on this GPU");
  }
  plan->kernel = result.algo;
  return OkStatus();
}

Result<CublasProducts::Plan*> CublasProducts::PlanOf(const MultiplyCall& call) {
  std::unique_ptr<Plan>& plan =
      plans_[Shape(call.rows, call.outputs, call.inputs, call.bias != nullptr)];
  if (plan != nullptr) return plan.get();
  auto made = std::make_unique<Plan>();
  const cudaDataType_t type = DataType(type_);
  cublasStatus_t status = cublasLtMatmulDescCreate(&made->product, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
    if (status != CUBLAS_STATUS_SUCCESS) return;
    status = cublasLtMatmulDescSetAttribute(made->product, attribute, &value, sizeof(value));
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (call.bias != nullptr) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias);  // its alignment counts for the choice
  }
  const auto layout = [&](cublasLtMatrixLayout_t* made_layout, uint32_t rows, uint32_t columns) {
    if (status != CUBLAS_STATUS_SUCCESS) return;
    status = cublasLtMatrixLayoutCreate(made_layout, type, rows, columns, rows);
  };
  layout(&made->weight, call.inputs, call.outputs);
  layout(&made->input, call.inputs, call.rows);
  layout(&made->output, call.outputs, call.rows);
  RETURN_IF_ERROR(ToStatus(status, "describe a matrix product"));
  RETURN_IF_ERROR(Choose(made.get()));
  plan = std::move(made);
  return plan.get();
}

Status CublasProducts::Multiply(const MultiplyCall& call, cudaStream_t stream) {
  ASSIGN_OR_RETURN(Plan * plan, PlanOf(call));
  if (call.bias != nullptr) {
    RETURN_IF_ERROR(
        ToStatus(cublasLtMatmulDescSetAttribute(plan->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                &call.bias, sizeof(call.bias)),
                 "set the bias of a matrix product"));
  }
  const float one = 1.0f;
  const float zero = 0.0f;
  return ToStatus(
      cublasLtMatmul(handle_, plan->product, &one, call.weight, plan->weight, call.input,
                     plan->input, &zero, call.output, plan->output, call.output, plan->output,
                     &plan->kernel, workspace_, workspace_bytes_, stream),
      "multiply matrices");
}

}  // namespace ragstone::llm::gpu

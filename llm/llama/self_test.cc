#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "llm/llama/cpu_features.h"
#include "llm/llama/runtime.h"

namespace ragstone::llm {
namespace {

constexpr int64_t kInner = 256;  // a whole number of blocks of every type
constexpr int64_t kRows = 64;
constexpr int64_t kColumns = 40;

struct GgmlContextDeleter {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

// Largest relative difference between ggml's product and the one of the dequantised weights in
// double.
Result<double> ProductError(ggml_type type) {
  std::mt19937 random(20240607);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> weights(kInner * kRows), inputs(kInner * kColumns);
  for (float& value : weights) value = uniform(random);
  for (float& value : inputs) value = uniform(random);

  ggml_init_params params{};
  params.mem_size = size_t{16} << 20;
  std::unique_ptr<ggml_context, GgmlContextDeleter> context(ggml_init(params));
  if (context == nullptr) return Internal("ggml has no memory for the self-test");
  ggml_tensor* a = ggml_new_tensor_2d(context.get(), type, kInner, kRows);
  ggml_tensor* b = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, kInner, kColumns);
  ggml_quantize_chunk(type, weights.data(), a->data, 0, kRows, kInner, nullptr);
  std::memcpy(b->data, inputs.data(), inputs.size() * sizeof(float));
  std::vector<float> stored(weights);
  if (type != GGML_TYPE_F32) {
    ggml_get_type_traits(type)->to_float(a->data, stored.data(), kInner * kRows);
  }
  ggml_tensor* product = ggml_mul_mat(context.get(), a, b);
  ggml_cgraph* graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, product);
  if (ggml_graph_compute_with_ctx(context.get(), graph, 1) != GGML_STATUS_SUCCESS) {
    return Internal("ggml fails to compute the self-test");
  }
  const auto* values = static_cast<const float*>(product->data);
  double worst = 0;
  for (int64_t column = 0; column < kColumns; ++column) {
    for (int64_t row = 0; row < kRows; ++row) {
      double sum = 0, size = 0;
      for (int64_t k = 0; k < kInner; ++k) {
        const double term = double{stored[static_cast<size_t>(row * kInner + k)]} *
                            inputs[static_cast<size_t>(column * kInner + k)];
        sum += term;
        size += std::abs(term);
      }
      worst = std::max(worst, std::abs(values[column * kRows + row] - sum) / size);
    }
  }
  return worst;
}

}  // namespace

Result<std::string> RunSelfTest(const std::string& tier) {
  const std::vector<std::string> missing = MissingFeatures(tier);
  if (!missing.empty()) {
    std::string list;
    for (const std::string& feature : missing) list += (list.empty() ? "" : ", ") + feature;
    return FailedPrecondition(
        Reason::kModelUnsupported,
        "this processor lacks " + list + ", which tier " + tier + " needs; a lower tier will do");
  }
  StartRuntime();
  // Inputs are rounded to the type's partner (8 bits for the quantised types, 8 bits of mantissa
  // for BF16), which bounds the error of a right product; a wrong kernel is off by orders of
  // magnitude.
  struct Case {
    ggml_type type;
    double error_max;
  };
  std::string report;
  for (const Case& test :
       {Case{GGML_TYPE_F32, 1e-5}, Case{GGML_TYPE_F16, 2e-3}, Case{GGML_TYPE_BF16, 1e-2},
        Case{GGML_TYPE_Q8_0, 1e-2}, Case{GGML_TYPE_Q4_0, 1e-2}}) {
    ASSIGN_OR_RETURN(const double error, ProductError(test.type));
    char text[64];
    std::snprintf(text, sizeof(text), "%s error %.1e", ggml_type_name(test.type), error);
    if (!(error <= test.error_max)) {
      return FailedPrecondition(Reason::kModelUnsupported,
                                "matrix products of tier " + tier + " are wrong: " + text);
    }
    report += (report.empty() ? "" : ", ") + std::string(text);
  }
  return "tier " + tier + ": " + report + "; " + llama_print_system_info();
}

}  // namespace ragstone::llm

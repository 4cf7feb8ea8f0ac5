#include "llm/llama/logits.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ragstone::llm {

double LogSumExp(std::span<const float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - top);
  return top + std::log(sum);
}

llama_token BestToken(std::span<const float> logits) {
  return static_cast<llama_token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

llama_token SampleToken(std::span<const float> logits, float temperature, double random) {
  constexpr size_t kCandidates = 40;
  std::vector<llama_token> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t kept = std::min(kCandidates, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    [&](llama_token a, llama_token b) {
                      const float x = logits[static_cast<size_t>(a)];
                      const float y = logits[static_cast<size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  std::vector<double> weights(kept);
  double total = 0;
  for (size_t i = 0; i < kept; ++i) {
    const double above =
        double{logits[static_cast<size_t>(order[i])]} - logits[static_cast<size_t>(order[0])];
    weights[i] = std::exp(above / temperature);
    total += weights[i];
  }
  double left = random * total;
  for (size_t i = 0; i < kept; ++i) {
    left -= weights[i];
    if (left < 0) return order[i];
  }
  return order[kept - 1];
}

double MassOf(std::span<const float> logits, double log_sum,
              const std::vector<llama_token>& tokens) {
  double mass = 0;
  for (const llama_token token : tokens) {
    mass += std::exp(double{logits[static_cast<size_t>(token)]} - log_sum);
  }
  return mass;
}

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "llm/llama/runtime.h"

namespace ragstone::llm {

// The logarithm of the sum of exponentials: subtracted from a logit it gives a log-probability.
double LogSumExp(std::span<const float> logits);

// The token with the highest logit; the lowest id among equals.
llama_token BestToken(std::span<const float> logits);

// Draws from the softmax of logits / temperature among the 40 likeliest tokens. `random` is uniform
// in [0, 1).
llama_token SampleToken(std::span<const float> logits, float temperature, double random);

// The probability of a set of tokens together.
double MassOf(std::span<const float> logits, double log_sum,
              const std::vector<llama_token>& tokens);

}  // namespace ragstone::llm

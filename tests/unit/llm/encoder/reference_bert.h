#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "llm/encoder/bert_model.h"

namespace ragstone::llm {

// BERT as its paper says it, in double and without any haste: what kernels are compared with.

// The pooled vector of a text, not normalised.
std::vector<double> ReferenceVector(const BertModel& model, std::span<const int32_t> text);

double ReferenceGelu(double x);
// LayerNorm of one row.
std::vector<double> ReferenceNorm(const std::vector<double>& x, const BertNorm& norm,
                                  double epsilon);
// Softmax attention of `length` rows of queries, keys and values of all heads.
std::vector<double> ReferenceAttention(const std::vector<double>& qkv, size_t heads,
                                       size_t head_size, double scale);

double Cosine(std::span<const double> a, std::span<const float> b);

}  // namespace ragstone::llm

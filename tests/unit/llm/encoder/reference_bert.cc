#include "tests/unit/llm/encoder/reference_bert.h"

#include <algorithm>
#include <cmath>

namespace ragstone::llm {
namespace {

using Rows = std::vector<std::vector<double>>;

std::vector<double> Apply(const BertLinear& linear, const std::vector<double>& x) {
  std::vector<double> y(linear.weight.rows);
  std::vector<float> row(linear.weight.columns);
  for (uint32_t r = 0; r < linear.weight.rows; ++r) {
    linear.weight.ReadRow(r, row.data());
    double sum = linear.bias[r];
    for (size_t k = 0; k < row.size(); ++k) sum += double{row[k]} * x[k];
    y[r] = sum;
  }
  return y;
}

void AddRow(const FloatMatrix& matrix, uint32_t row, std::vector<double>* x) {
  std::vector<float> values(matrix.columns);
  matrix.ReadRow(row, values.data());
  for (size_t i = 0; i < values.size(); ++i) (*x)[i] += values[i];
}

void Add(const std::vector<double>& y, std::vector<double>* x) {
  for (size_t i = 0; i < y.size(); ++i) (*x)[i] += y[i];
}

void RunLayer(const BertLayer& layer, const BertConfig& config, Rows* rows) {
  std::vector<double> qkv;
  for (const std::vector<double>& x : *rows) {
    for (const BertLinear* part : {&layer.query, &layer.key, &layer.value}) {
      const std::vector<double> y = Apply(*part, x);
      qkv.insert(qkv.end(), y.begin(), y.end());
    }
  }
  const std::vector<double> context = ReferenceAttention(
      qkv, config.heads, config.head_size(), 1 / std::sqrt(double{1} * config.head_size()));
  for (size_t t = 0; t < rows->size(); ++t) {
    std::vector<double>& x = (*rows)[t];
    const auto begin = context.begin() + static_cast<std::ptrdiff_t>(t * config.hidden);
    Add(Apply(layer.attention_output, {begin, begin + config.hidden}), &x);
    x = ReferenceNorm(x, layer.attention_norm, config.norm_epsilon);
    std::vector<double> inner = Apply(layer.up, x);
    for (double& value : inner) value = ReferenceGelu(value);
    Add(Apply(layer.down, inner), &x);
    x = ReferenceNorm(x, layer.output_norm, config.norm_epsilon);
  }
}

}  // namespace

double ReferenceGelu(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }

std::vector<double> ReferenceNorm(const std::vector<double>& x, const BertNorm& norm,
                                  double epsilon) {
  double mean = 0, variance = 0;
  for (const double value : x) mean += value / static_cast<double>(x.size());
  for (const double value : x) {
    variance += (value - mean) * (value - mean) / static_cast<double>(x.size());
  }
  std::vector<double> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = (x[i] - mean) / std::sqrt(variance + epsilon) * norm.gamma[i] + norm.beta[i];
  }
  return y;
}

std::vector<double> ReferenceAttention(const std::vector<double>& qkv, size_t heads,
                                       size_t head_size, double scale) {
  const size_t hidden = heads * head_size;
  const size_t length = qkv.size() / (3 * hidden);
  std::vector<double> out(length * hidden);
  for (size_t head = 0; head < heads; ++head) {
    const double* query = qkv.data() + head * head_size;
    const double* key = query + hidden;
    const double* value = key + hidden;
    for (size_t t = 0; t < length; ++t) {
      std::vector<double> weights(length);
      double top = -1e300, sum = 0;
      for (size_t s = 0; s < length; ++s) {
        for (size_t i = 0; i < head_size; ++i) {
          weights[s] += query[t * 3 * hidden + i] * key[s * 3 * hidden + i];
        }
        top = std::max(top, weights[s] * scale);
      }
      for (double& weight : weights) sum += weight = std::exp(weight * scale - top);
      for (size_t s = 0; s < length; ++s) {
        for (size_t i = 0; i < head_size; ++i) {
          out[t * hidden + head * head_size + i] += weights[s] / sum * value[s * 3 * hidden + i];
        }
      }
    }
  }
  return out;
}

std::vector<double> ReferenceVector(const BertModel& model, std::span<const int32_t> text) {
  Rows rows;
  for (size_t t = 0; t < text.size(); ++t) {
    std::vector<double> x(model.config.hidden);
    AddRow(model.token_embeddings, static_cast<uint32_t>(text[t]), &x);
    AddRow(model.position_embeddings, static_cast<uint32_t>(t), &x);
    AddRow(model.type_embeddings, 0, &x);
    rows.push_back(ReferenceNorm(x, model.embeddings_norm, model.config.norm_epsilon));
  }
  for (const BertLayer& layer : model.layers) RunLayer(layer, model.config, &rows);
  if (model.config.pooling == Pooling::kCls) return rows.front();
  std::vector<double> mean(model.config.hidden);
  for (const std::vector<double>& x : rows) Add(x, &mean);
  for (double& value : mean) value /= static_cast<double>(rows.size());
  return mean;
}

double Cosine(std::span<const double> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += double{b[i]} * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

}  // namespace ragstone::llm

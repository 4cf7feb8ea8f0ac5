#include "llm/encoder/gpu/gpu_check.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "llm/encoder/encoder.h"

namespace ragstone::llm::gpu {
namespace {

constexpr double kCosineMin = 0.999;
// A single token, a part of a tile, more than a tile, several tiles of keys.
constexpr size_t kLengths[] = {1, 9, 70, 200};
constexpr int kRounds = 3;

// Ids all over the vocabulary.
std::vector<std::vector<int32_t>> MadeUpTexts(uint32_t vocabulary, uint32_t tokens_max) {
  std::vector<std::vector<int32_t>> texts;
  uint64_t random = 1;
  for (const size_t length : kLengths) {
    texts.emplace_back(std::min<size_t>(length, tokens_max));
    for (int32_t& id : texts.back()) {
      random = random * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator
      id = static_cast<int32_t>((random >> 33) % vocabulary);
    }
  }
  return texts;
}

double Cosine(const float* a, const float* b, size_t size) {
  double product = 0;
  double of_a = 0;
  double of_b = 0;
  for (size_t i = 0; i < size; ++i) {
    product += double{a[i]} * b[i];
    of_a += double{a[i]} * a[i];
    of_b += double{b[i]} * b[i];
  }
  return product / std::sqrt(of_a * of_b);
}

}  // namespace

CpuReference::CpuReference(std::shared_ptr<const BertModel> model, const Kernels& kernels,
                           uint32_t tokens_max)
    : texts_(MadeUpTexts(model->config.vocabulary, tokens_max)) {
  const uint32_t dimensions = model->config.hidden;
  const Encoder encoder(std::move(model), kernels);
  Encoder::Workspace workspace(encoder,
                               *std::max_element(std::begin(kLengths), std::end(kLengths)));
  for (const std::vector<int32_t>& text : texts_) {
    const std::span<const int32_t> ids(text);
    vectors_.emplace_back(dimensions);
    encoder.Encode({&ids, 1}, &workspace, vectors_.back().data());
  }
}

Status CpuReference::Compare(const EmbedQueue::Compute& compute, const SlotLimits& limits) const {
  std::vector<std::span<const int32_t>> batch;
  for (size_t tokens = 0; batch.size() < limits.texts;) {
    const std::vector<int32_t>& text = texts_[batch.size() % texts_.size()];
    tokens += text.size();
    if (tokens > limits.tokens) break;
    batch.emplace_back(text);
  }
  const size_t dimensions = vectors_[0].size();
  std::vector<float> vectors(batch.size() * dimensions);
  for (int round = 0; round < kRounds; ++round) {
    std::fill(vectors.begin(), vectors.end(), 0.0f);
    RETURN_IF_ERROR(compute(batch, vectors.data()));
    for (size_t i = 0; i < batch.size(); ++i) {
      const double cosine =
          Cosine(vectors_[i % texts_.size()].data(), vectors.data() + i * dimensions, dimensions);
      if (cosine >= kCosineMin) continue;  // false for vectors of zeros: theirs is no number
      return Unavailable(Reason::kWorkerUnavailable,
                         "the GPU computes other vectors than the CPU: cosine " +
                             std::to_string(cosine) + " for a text of " +
                             std::to_string(batch[i].size()) + " tokens among " +
                             std::to_string(batch.size()) + ", at least " +
                             std::to_string(kCosineMin) + " is asked for");
    }
  }
  return OkStatus();
}

}  // namespace ragstone::llm::gpu

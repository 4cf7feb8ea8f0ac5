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
// A single token, a part of a tile, more than a tile.
constexpr size_t kLengths[] = {1, 9, 70};

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

Status CompareWithCpu(Embedder* embedder, std::shared_ptr<const BertModel> model,
                      const Kernels& kernels) {
  ASSIGN_OR_RETURN(const EmbedderInfo info, embedder->Info(CallContext()));
  const std::vector<std::vector<int32_t>> texts = MadeUpTexts(info.vocabulary, info.tokens_max);
  ASSIGN_OR_RETURN(const std::vector<float> vectors, embedder->Embed(texts, CallContext()));
  const Encoder encoder(std::move(model), kernels);
  Encoder::Workspace workspace(encoder,
                               *std::max_element(std::begin(kLengths), std::end(kLengths)));
  double least = 1;
  for (size_t t = 0; t < texts.size(); ++t) {
    std::vector<float> expected(info.dimensions);
    const std::span<const int32_t> text(texts[t]);
    encoder.Encode({&text, 1}, &workspace, expected.data());
    least = std::min(
        least, Cosine(expected.data(), vectors.data() + t * info.dimensions, info.dimensions));
  }
  if (least >= kCosineMin) return OkStatus();
  return Unavailable(Reason::kWorkerUnavailable,
                     info.device + " computes other vectors than the CPU: cosine " +
                         std::to_string(least) + ", at least " + std::to_string(kCosineMin) +
                         " is asked for");
}

}  // namespace ragstone::llm::gpu

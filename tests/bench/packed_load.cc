// Measures what the cache of packed weights saves at the start of a worker:
// `packed_load FOLDER HIDDEN LAYERS [TIER]` makes random BF16 weights of a BERT of this shape and
// prints, in milliseconds, packing in memory, packing with writing the file into FOLDER, and
// mapping it; then 256-token texts a second with either.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "llm/encoder/encoder.h"
#include "llm/encoder/kernel_tiers.h"
#include "llm/float16.h"

namespace ragstone::llm {
namespace {

using Clock = std::chrono::steady_clock;
using Values = std::deque<std::vector<uint16_t>>;

double Milliseconds(Clock::time_point from) {
  return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
}

FloatMatrix Random(uint32_t rows, uint32_t columns, Values* values) {
  static std::mt19937 random(1);
  std::vector<uint16_t> bits(size_t{rows} * columns);
  for (uint16_t& value : bits) {
    value = ToBfloat16((static_cast<float>(random() >> 8) * 0x1p-23f - 1) * 0.05f);
  }
  values->push_back(std::move(bits));
  return {FloatType::kBf16, rows, columns, values->back().data()};
}

std::shared_ptr<const BertModel> Make(uint32_t hidden, uint32_t layers) {
  const auto values = std::make_shared<Values>();
  auto model = std::make_shared<BertModel>();
  BertConfig& config = model->config;
  config = {64, 512, 1, hidden, 4 * hidden, layers, hidden / 32, 1e-12f, Pooling::kMean};
  const auto linear = [&](uint32_t rows, uint32_t columns) {
    return BertLinear{Random(rows, columns, values.get()), std::vector<float>(rows)};
  };
  const BertNorm norm{std::vector<float>(hidden, 1), std::vector<float>(hidden)};
  model->token_embeddings = Random(config.vocabulary, hidden, values.get());
  model->position_embeddings = Random(config.positions, hidden, values.get());
  model->type_embeddings = Random(1, hidden, values.get());
  model->embeddings_norm = norm;
  for (uint32_t i = 0; i < layers; ++i) {
    model->layers.push_back({linear(hidden, hidden), linear(hidden, hidden), linear(hidden, hidden),
                             linear(hidden, hidden), norm, linear(4 * hidden, hidden),
                             linear(hidden, 4 * hidden), norm});
  }
  model->storage = values;
  return model;
}

double TextsASecond(const Encoder& encoder) {
  const std::vector<int32_t> text(256, 7);
  const std::span<const int32_t> span(text);
  Encoder::Workspace workspace(encoder, text.size());
  std::vector<float> vector(encoder.model().config.hidden);
  encoder.Encode({&span, 1}, &workspace, vector.data());
  const Clock::time_point start = Clock::now();
  int texts = 0;
  for (; Milliseconds(start) < 3000; ++texts) encoder.Encode({&span, 1}, &workspace, vector.data());
  return texts * 1e3 / Milliseconds(start);
}

int Run(const std::string& folder, uint32_t hidden, uint32_t layers, const std::string& tier) {
  const Result<const Kernels*> kernels = ChooseKernels(tier, "");
  if (!kernels.ok()) {
    std::fprintf(stderr, "%s\n", kernels.status().message().c_str());
    return 1;
  }
  const auto model = Make(hidden, layers);
  std::printf("%s, %u layers of %u\n", (*kernels)->tier, layers, hidden);
  for (const char* what : {"packed", "packed, written", "mapped", "mapped"}) {
    const std::string place = std::string(what) == "packed" ? "" : folder;
    const Clock::time_point start = Clock::now();
    const Encoder encoder(model, **kernels, place);
    std::printf("%-16s %8.1f ms", what, Milliseconds(start));
    std::printf("  %7.2f texts/s\n", TextsASecond(encoder));
  }
  return 0;
}

}  // namespace
}  // namespace ragstone::llm

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: packed_load FOLDER HIDDEN LAYERS [TIER]\n");
    return 2;
  }
  return ragstone::llm::Run(argv[1], static_cast<uint32_t>(std::atoi(argv[2])),
                            static_cast<uint32_t>(std::atoi(argv[3])),
                            argc > 4 ? argv[4] : "float");
}

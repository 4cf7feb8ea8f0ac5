#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "llm/llama/llama_embedder.h"
#include "llm/llama/probe_texts.h"
#include "llm/llama/retype.h"
#include "llm/llama/retype_file.h"
#include "llm/llama/runtime.h"

namespace ragstone::llm {
namespace {

constexpr double kCosineMin = 0.9995;
constexpr uint32_t kTimedTokens = 8192;
constexpr int kTimedRuns = 3;

using Texts = std::vector<std::vector<int32_t>>;

struct Measurement {
  std::vector<float> vectors;
  uint32_t dimensions = 0;
  double tokens_per_second = 0;
};

// Token ids of the probes, by the model's own vocabulary, cut to what it takes.
Result<Texts> TokenizeProbes(const RetypeOptions& options) {
  ASSIGN_OR_RETURN(const ModelPtr model, LoadModel(options.model, LoadOptions()));
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  const auto trained = static_cast<uint32_t>(std::max(1, llama_model_n_ctx_train(model.get())));
  const size_t limit = options.tokens_max > 0 ? std::min(options.tokens_max, trained) : trained;
  Texts texts;
  for (const std::string_view probe : EmbeddingProbes()) {
    std::vector<int32_t> ids(probe.size() + 16);
    const int32_t count = llama_tokenize(vocab, probe.data(), static_cast<int32_t>(probe.size()),
                                         ids.data(), static_cast<int32_t>(ids.size()), true, false);
    if (count <= 0) return Internal("a probe text cannot be tokenised");
    ids.resize(std::min(static_cast<size_t>(count), limit));
    texts.push_back(std::move(ids));
  }
  return texts;
}

// Texts of the length of a typical chunk, for the clock.
Texts TimedTexts(const Texts& probes, size_t length) {
  Texts texts;
  std::vector<int32_t> ids;
  size_t total = 0;
  for (size_t i = 0; total < kTimedTokens; i = (i + 1) % probes.size()) {
    ids.insert(ids.end(), probes[i].begin(), probes[i].end());
    if (ids.size() < length) continue;
    ids.resize(length);
    total += length;
    texts.push_back(std::move(ids));
    ids.clear();
  }
  return texts;
}

Result<Measurement> Measure(const std::filesystem::path& file, const RetypeOptions& options,
                            const Texts& probes, const CallContext& context) {
  LlamaEmbedderOptions load;
  load.pooling = options.pooling;
  load.tokens_max = options.tokens_max;
  load.threads = options.threads;
  ASSIGN_OR_RETURN(const std::unique_ptr<LlamaEmbedder> embedder, LlamaEmbedder::Load(file, load));
  ASSIGN_OR_RETURN(const EmbedderInfo info, embedder->Info(context));
  Measurement measured;
  measured.dimensions = info.dimensions;
  ASSIGN_OR_RETURN(measured.vectors, embedder->Embed(probes, context));
  const Texts timed = TimedTexts(probes, std::min<size_t>(128, info.tokens_max));
  const double tokens = static_cast<double>(timed.size() * timed.front().size());
  for (int run = 0; run < kTimedRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(embedder->Embed(timed, context).status());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    measured.tokens_per_second = std::max(measured.tokens_per_second, tokens / seconds.count());
  }
  return measured;
}

// The lowest cosine between the vectors of one text. The vectors are normalised.
double WorstCosine(const Measurement& a, const Measurement& b) {
  double worst = 1;
  for (size_t at = 0; at + a.dimensions <= a.vectors.size(); at += a.dimensions) {
    double dot = 0;
    for (size_t i = at; i < at + a.dimensions; ++i) dot += double{a.vectors[i]} * b.vectors[i];
    worst = std::min(worst, std::isfinite(dot) ? dot : -1.0);
  }
  return worst;
}

}  // namespace

Result<RetypeResult> RetypeEmbedder(const RetypeOptions& options, const RetypeProgress& progress,
                                    const CallContext& context) {
  ASSIGN_OR_RETURN(const Texts probes, TokenizeProbes(options));
  RetypeResult result;
  uint64_t parameters = 0;
  {
    ASSIGN_OR_RETURN(const ModelPtr model, LoadModel(options.model, LoadOptions()));
    result.storage_type = StorageTypeName(model.get());
    parameters = llama_model_n_params(model.get());
  }
  const std::string shipped = result.storage_type;
  RETURN_IF_ERROR(progress("measuring " + shipped));
  ASSIGN_OR_RETURN(const Measurement reference, Measure(options.model, options, probes, context));
  char line[160];
  std::snprintf(line, sizeof(line), "%s: %.0f tokens/s, as it is", shipped.c_str(),
                reference.tokens_per_second);
  result.measurements.push_back(line);

  double best_speed = reference.tokens_per_second;
  std::optional<std::filesystem::path> best;
  std::vector<std::unique_ptr<ScratchFile>> candidates;
  for (const StorageType& type :
       {StorageType{"F16", LLAMA_FTYPE_MOSTLY_F16}, StorageType{"BF16", LLAMA_FTYPE_MOSTLY_BF16},
        StorageType{"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0}}) {
    if (shipped == type.name || !WorthTrying(parameters, 16)) continue;
    RETURN_IF_ERROR(context.Check());
    RETURN_IF_ERROR(progress(std::string("measuring ") + type.name));
    auto file = std::make_unique<ScratchFile>(options.model.parent_path() /
                                              (std::string("candidate-") + type.name + ".gguf"));
    RETURN_IF_ERROR(RetypeFile(options.model, file->path(), type, options.threads));
    ASSIGN_OR_RETURN(const Measurement measured, Measure(file->path(), options, probes, context));
    const double cosine = WorstCosine(reference, measured);
    const bool exact = cosine >= kCosineMin;
    std::snprintf(line, sizeof(line), "%s: %.0f tokens/s, lowest cosine with %s %.6f%s", type.name,
                  measured.tokens_per_second, shipped.c_str(), cosine,
                  exact ? "" : ", too inexact (0.9995 is needed)");
    result.measurements.push_back(line);
    if (!exact || measured.tokens_per_second <= best_speed) continue;
    best_speed = measured.tokens_per_second;
    best = file->path();
    result.storage_type = type.name;
    candidates.push_back(std::move(file));
  }
  if (best.has_value()) {
    std::error_code error;
    std::filesystem::rename(*best, options.model, error);
    if (error) return ErrnoStatus(error.value(), "rename " + best->string());
  }
  result.measurements.push_back("chosen: " + result.storage_type +
                                ", the fastest that is exact enough");
  return result;
}

}  // namespace ragstone::llm

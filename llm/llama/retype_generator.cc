#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "llm/llama/logits.h"
#include "llm/llama/probe_texts.h"
#include "llm/llama/retype.h"
#include "llm/llama/retype_file.h"
#include "llm/llama/runtime.h"
#include "llm/llama/session.h"
#include "llm/llama/token_table.h"

namespace ragstone::llm {
namespace {

// A re-typed model has to answer like the file as shipped. Types that only round differently (F16
// and BF16 of a Q4_1 file, whose products round the inputs to 8 bits) are 0.003 nats apart here and
// Q8_0 0.005, while Q4_0 is 0.3 apart; the bound lies above the rounding and far below a change of
// weights.
constexpr double kDivergenceMax = 0.01;
constexpr double kPerplexityChangeMax = 0.01;
constexpr uint32_t kPromptTokens = 512;
constexpr size_t kScoredTokens = 256;
constexpr uint32_t kPiece = 64;
constexpr int kTimedRuns = 3;

struct Measurement {
  std::vector<std::vector<float>> log_probabilities;  // for each scored token, of the vocabulary
  double log_likelihood = 0;                          // mean of the text's own tokens
  double prompt_tokens_per_second = 0;
  std::string type;
};

Result<Measurement> Measure(const std::filesystem::path& file, const RetypeOptions& options,
                            const CallContext& context) {
  ASSIGN_OR_RETURN(const ModelPtr model, LoadModel(file, LoadOptions()));
  const TokenTable table(llama_model_get_vocab(model.get()));
  SessionOptions session_options;
  session_options.context_tokens = kPromptTokens;
  session_options.threads = ThreadCount(options.threads);
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                   Session::Create(model.get(), session_options));
  std::vector<llama_token> tokens = table.Tokenize(GenerationProbe(), false);
  if (tokens.size() < 32) return Internal("the probe text has too few tokens");
  Measurement measured;
  measured.type = StorageTypeName(model.get());

  const size_t scored = std::min(kScoredTokens, tokens.size() - 1);
  for (size_t begin = 0; begin < scored; begin += kPiece) {
    std::vector<SessionToken> piece;
    for (size_t i = begin; i < std::min<size_t>(begin + kPiece, scored); ++i) {
      piece.push_back({tokens[i], static_cast<llama_pos>(i), 0, true});
    }
    RETURN_IF_ERROR(session->Decode(piece, context));
    for (size_t i = 0; i < piece.size(); ++i) {
      const float* logits = session->Logits(i);
      if (logits == nullptr) return Internal("llama.cpp returns no logits");
      std::vector<float> row(logits, logits + session->vocabulary());
      const auto log_sum = static_cast<float>(LogSumExp(row));
      for (float& value : row) value -= log_sum;
      measured.log_likelihood += row[static_cast<size_t>(tokens[begin + i + 1])];
      measured.log_probabilities.push_back(std::move(row));
    }
  }
  measured.log_likelihood /= static_cast<double>(scored);

  while (tokens.size() < kPromptTokens) tokens.insert(tokens.end(), tokens.begin(), tokens.end());
  tokens.resize(kPromptTokens);
  for (int run = 0; run < kTimedRuns; ++run) {
    session->Forget();
    const auto start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(session->SetPrompt(tokens, context).status());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    measured.prompt_tokens_per_second =
        std::max(measured.prompt_tokens_per_second, kPromptTokens / seconds.count());
  }
  return measured;
}

double MeanDivergence(const Measurement& reference, const Measurement& other) {
  double sum = 0;
  for (size_t row = 0; row < reference.log_probabilities.size(); ++row) {
    const std::vector<float>& p = reference.log_probabilities[row];
    const std::vector<float>& q = other.log_probabilities[row];
    for (size_t i = 0; i < p.size(); ++i) sum += std::exp(double{p[i]}) * (double{p[i]} - q[i]);
  }
  return sum / static_cast<double>(reference.log_probabilities.size());
}

struct Candidate {
  StorageType type;
  double bits;
};

constexpr Candidate kCandidates[] = {
    {{"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0}, 8.5},
    {{"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0}, 5},
    {{"BF16", LLAMA_FTYPE_MOSTLY_BF16}, 16},
    {{"F16", LLAMA_FTYPE_MOSTLY_F16}, 16},
};

}  // namespace

Result<RetypeResult> RetypeGenerator(const RetypeOptions& options, const RetypeProgress& progress,
                                     const CallContext& context) {
  uint64_t parameters = 0;
  RetypeResult result;
  {
    ASSIGN_OR_RETURN(const ModelPtr model, LoadModel(options.model, LoadOptions()));
    parameters = llama_model_n_params(model.get());
    result.storage_type = StorageTypeName(model.get());
  }
  if (!WorthTrying(parameters, kCandidates[0].bits)) {
    result.measurements.push_back(result.storage_type +
                                  ": kept as shipped, the model is too large "
                                  "to try other types on this machine");
    return result;
  }
  RETURN_IF_ERROR(progress("measuring " + result.storage_type));
  ASSIGN_OR_RETURN(const Measurement shipped, Measure(options.model, options, context));
  char line[200];
  std::snprintf(line, sizeof(line), "%s: %.0f prompt tokens/s, perplexity %.2f, as shipped",
                shipped.type.c_str(), shipped.prompt_tokens_per_second,
                std::exp(-shipped.log_likelihood));
  result.measurements.push_back(line);

  double best_speed = shipped.prompt_tokens_per_second;
  std::vector<std::unique_ptr<ScratchFile>> candidates;
  for (const Candidate& candidate : kCandidates) {
    const StorageType& type = candidate.type;
    if (shipped.type == type.name || !WorthTrying(parameters, candidate.bits)) continue;
    RETURN_IF_ERROR(context.Check());
    RETURN_IF_ERROR(progress(std::string("measuring ") + type.name));
    auto file = std::make_unique<ScratchFile>(options.model.parent_path() /
                                              (std::string("candidate-") + type.name + ".gguf"));
    RETURN_IF_ERROR(RetypeFile(options.model, file->path(), type, options.threads));
    ASSIGN_OR_RETURN(const Measurement measured, Measure(file->path(), options, context));
    const double divergence = MeanDivergence(shipped, measured);
    const double change = std::exp(shipped.log_likelihood - measured.log_likelihood) - 1;
    const bool lossless = divergence <= kDivergenceMax && std::abs(change) <= kPerplexityChangeMax;
    std::snprintf(line, sizeof(line),
                  "%s: %.0f prompt tokens/s, divergence %.5f nats, perplexity %+.2f %%%s",
                  type.name, measured.prompt_tokens_per_second, divergence, change * 100,
                  lossless ? "" : ", a measurable loss");
    result.measurements.push_back(line);
    if (!lossless || measured.prompt_tokens_per_second <= best_speed) continue;
    best_speed = measured.prompt_tokens_per_second;
    result.storage_type = type.name;
    candidates.push_back(std::move(file));
  }
  if (!candidates.empty()) {
    // The last one kept is the fastest.
    std::error_code error;
    std::filesystem::rename(candidates.back()->path(), options.model, error);
    if (error) return ErrnoStatus(error.value(), "rename " + candidates.back()->path().string());
  }
  result.measurements.push_back("chosen: " + result.storage_type +
                                ", the fastest for prompts without measurable loss");
  return result;
}

}  // namespace ragstone::llm

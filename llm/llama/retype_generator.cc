#include <algorithm>
#include <array>
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
constexpr int kTimedRounds = 5;
constexpr double kTimingNoise = 0.03;

// How a model answers the probe text.
struct Scores {
  std::vector<std::vector<float>> log_probabilities;  // for each scored token, of the vocabulary
  double log_likelihood = 0;                          // mean of the text's own tokens
};

// A loaded model with the probe text.
class Probe {
 public:
  static Result<std::unique_ptr<Probe>> Open(const std::filesystem::path& file, uint32_t threads) {
    std::unique_ptr<Probe> probe(new Probe());
    ASSIGN_OR_RETURN(probe->model_, LoadModel(file, LoadOptions()));
    SessionOptions options;
    options.context_tokens = kPromptTokens;
    options.threads = ThreadCount(threads);
    ASSIGN_OR_RETURN(probe->session_, Session::Create(probe->model_.get(), options));
    const TokenTable table(llama_model_get_vocab(probe->model_.get()));
    probe->tokens_ = table.Tokenize(GenerationProbe(), false);
    if (probe->tokens_.size() < 32) return Internal("the probe text has too few tokens");
    probe->prompt_ = probe->tokens_;
    while (probe->prompt_.size() < kPromptTokens) {
      const std::vector<llama_token> again = probe->prompt_;
      probe->prompt_.insert(probe->prompt_.end(), again.begin(), again.end());
    }
    probe->prompt_.resize(kPromptTokens);
    return probe;
  }

  std::string type() const { return StorageTypeName(model_.get()); }
  uint64_t bytes() const { return llama_model_size(model_.get()); }

  Result<Scores> Score(const CallContext& context) {
    Scores scores;
    session_->Forget();
    const size_t scored = std::min(kScoredTokens, tokens_.size() - 1);
    for (size_t begin = 0; begin < scored; begin += kPiece) {
      std::vector<SessionToken> piece;
      for (size_t i = begin; i < std::min<size_t>(begin + kPiece, scored); ++i) {
        piece.push_back({tokens_[i], static_cast<llama_pos>(i), 0, true});
      }
      RETURN_IF_ERROR(session_->Decode(piece, context));
      for (size_t i = 0; i < piece.size(); ++i) {
        const float* logits = session_->Logits(i);
        if (logits == nullptr) return Internal("llama.cpp returns no logits");
        std::vector<float> row(logits, logits + session_->vocabulary());
        const auto log_sum = static_cast<float>(LogSumExp(row));
        for (float& value : row) value -= log_sum;
        scores.log_likelihood += row[static_cast<size_t>(tokens_[begin + i + 1])];
        scores.log_probabilities.push_back(std::move(row));
      }
    }
    scores.log_likelihood /= static_cast<double>(scored);
    return scores;
  }

  // Reads the prompt once; the fastest of all calls counts.
  Status Time(const CallContext& context) {
    session_->Forget();
    const auto start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(session_->SetPrompt(prompt_, context).status());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    tokens_per_second_ = std::max(tokens_per_second_, kPromptTokens / seconds.count());
    return OkStatus();
  }

  double tokens_per_second() const { return tokens_per_second_; }

 private:
  Probe() = default;
  ModelPtr model_;
  std::unique_ptr<Session> session_;  // ends before the model
  std::vector<llama_token> tokens_, prompt_;
  double tokens_per_second_ = 0;
};

double MeanDivergence(const Scores& reference, const Scores& other) {
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

// A type without measurable loss: the file as shipped, or a candidate.
struct Contender {
  std::string type;
  std::unique_ptr<ScratchFile> file;  // null: as shipped
  std::unique_ptr<Probe> probe;
};

// Times the contenders in turns, so that a machine that is busy for a while slows all of them.
// Returns the fastest; of those as fast but for noise the smallest, which also writes faster.
Result<size_t> Fastest(const std::vector<Contender>& contenders, const CallContext& context) {
  for (int round = 0; round < kTimedRounds; ++round) {
    for (const Contender& contender : contenders) {
      RETURN_IF_ERROR(context.Check());
      RETURN_IF_ERROR(contender.probe->Time(context));
    }
  }
  double best = 0;
  for (const Contender& c : contenders) best = std::max(best, c.probe->tokens_per_second());
  size_t chosen = contenders.size();
  for (size_t i = 0; i < contenders.size(); ++i) {
    const Probe& probe = *contenders[i].probe;
    if (probe.tokens_per_second() < best * (1 - kTimingNoise)) continue;
    if (chosen == contenders.size() || probe.bytes() < contenders[chosen].probe->bytes())
      chosen = i;
  }
  return chosen;
}

Result<Contender> OpenContender(const std::filesystem::path& path,
                                std::unique_ptr<ScratchFile> file, const RetypeOptions& options) {
  Contender contender;
  contender.file = std::move(file);
  ASSIGN_OR_RETURN(contender.probe, Probe::Open(path, options.threads));
  contender.type = contender.probe->type();
  return contender;
}

// Writes the model in `type` and compares it with the file as shipped; nothing if it loses.
Result<std::optional<Contender>> TryType(const StorageType& type, const Scores& shipped,
                                         const RetypeOptions& options, RetypeResult* result,
                                         const CallContext& context) {
  auto file = std::make_unique<ScratchFile>(options.model.parent_path() /
                                            (std::string("candidate-") + type.name + ".gguf"));
  const std::filesystem::path path = file->path();
  RETURN_IF_ERROR(RetypeFile(options.model, path, type, options.threads));
  ASSIGN_OR_RETURN(Contender contender, OpenContender(path, std::move(file), options));
  ASSIGN_OR_RETURN(const Scores scores, contender.probe->Score(context));
  const double divergence = MeanDivergence(shipped, scores);
  const double change = std::exp(shipped.log_likelihood - scores.log_likelihood) - 1;
  const bool lossless = divergence <= kDivergenceMax && std::abs(change) <= kPerplexityChangeMax;
  std::array<char, 200> line;
  std::snprintf(line.data(), line.size(), "%s: divergence %.5f nats, perplexity %+.2f %%%s",
                type.name, divergence, change * 100, lossless ? "" : ", a measurable loss");
  result->measurements.emplace_back(line.data());
  if (!lossless) return std::optional<Contender>();
  contender.type = type.name;
  return std::optional<Contender>(std::move(contender));
}

}  // namespace

Result<RetypeResult> RetypeGenerator(const RetypeOptions& options, const RetypeProgress& progress,
                                     const CallContext& context) {
  RetypeResult result;
  std::vector<Contender> contenders;
  uint64_t parameters = 0;
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
  ASSIGN_OR_RETURN(Contender as_shipped, OpenContender(options.model, nullptr, options));
  ASSIGN_OR_RETURN(const Scores shipped, as_shipped.probe->Score(context));
  contenders.push_back(std::move(as_shipped));
  for (const Candidate& candidate : kCandidates) {
    const StorageType& type = candidate.type;
    if (result.storage_type == type.name || !WorthTrying(parameters, candidate.bits)) continue;
    RETURN_IF_ERROR(context.Check());
    RETURN_IF_ERROR(progress(std::string("trying ") + type.name));
    ASSIGN_OR_RETURN(auto contender, TryType(type, shipped, options, &result, context));
    if (contender.has_value()) contenders.push_back(std::move(*contender));
  }
  RETURN_IF_ERROR(progress("timing " + std::to_string(contenders.size()) + " types"));
  ASSIGN_OR_RETURN(const size_t chosen, Fastest(contenders, context));
  for (const Contender& contender : contenders) {
    std::array<char, 100> line;
    std::snprintf(line.data(), line.size(), "%s: %.0f prompt tokens/s%s", contender.type.c_str(),
                  contender.probe->tokens_per_second(),
                  contender.file == nullptr ? ", as shipped" : "");
    result.measurements.emplace_back(line.data());
  }
  Contender& winner = contenders[chosen];
  result.storage_type = winner.type;
  winner.probe.reset();
  if (winner.file != nullptr) {
    std::error_code error;
    std::filesystem::rename(winner.file->path(), options.model, error);
    if (error) return ErrnoStatus(error.value(), "rename " + winner.file->path().string());
  }
  result.measurements.push_back(
      "chosen: " + result.storage_type +
      ", the fastest for prompts without measurable loss, or as fast and smaller");
  return result;
}

}  // namespace ragstone::llm

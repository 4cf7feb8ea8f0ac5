#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"

namespace ragstone::llm {

// How an imported model is stored fastest. Candidates are written beside the model, measured on
// this machine and removed again unless chosen.

struct RetypeOptions {
  std::filesystem::path model;  // replaced by the chosen candidate
  std::string pooling;          // of an embedding model
  uint32_t tokens_max = 0;      // of an embedding model
  uint32_t threads = 0;
};

struct RetypeResult {
  std::string storage_type;
  std::vector<std::string> measurements;  // lines for people: what was tried and how it did
};

using RetypeProgress = std::function<Status(const std::string&)>;

// The fastest of F32, F16, BF16 and Q8_0 whose vectors of 32 probe texts have a cosine of at least
// 0.9995 with those of the file as it is.
Result<RetypeResult> RetypeEmbedder(const RetypeOptions& options, const RetypeProgress& progress,
                                    const CallContext& context);

// The fastest for prompts of the type as shipped, Q8_0, Q4_0, BF16 and F16, among those that lose
// nothing measurable against the file as shipped on a probe text: at most 0.01 nats of mean
// Kullback-Leibler divergence and 1 % of perplexity. They are timed in turns; of types that are as
// fast but for 3 % the smallest is taken.
Result<RetypeResult> RetypeGenerator(const RetypeOptions& options, const RetypeProgress& progress,
                                     const CallContext& context);

}  // namespace ragstone::llm

#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "llm/answer/answerer.h"
#include "llm/answer/text_words.h"

namespace ragstone::llm {

// A generator whose answers a test chooses; it remembers what it was asked.
class FakeGenerator : public Generator {
 public:
  GeneratorInfo info{2048, "", 135'000'000, "fake"};
  // Which source is chosen; the whole of it becomes the span. Out of range: the refusal.
  std::function<int32_t(const GenerateRequest&)> choose = [](const GenerateRequest&) { return 0; };
  std::string prose;  // streamed for requests without sources, byte by byte
  std::string finish_reason = "stop";
  double logprob = -0.2;
  Status status;
  std::vector<GenerateRequest> requests;

  Result<GeneratorInfo> Info(const CallContext&) override { return info; }

  Result<std::vector<uint32_t>> CountTokens(std::span<const std::string> texts,
                                            const CallContext&) override {
    std::vector<uint32_t> counts;
    for (const std::string& text : texts) {
      counts.push_back(static_cast<uint32_t>(WordsOf(text).size()));
    }
    return counts;
  }

  Result<GenerateResult> Generate(const GenerateRequest& request,
                                  const std::function<Status(std::string_view)>& on_text,
                                  const CallContext& context) override {
    requests.push_back(request);
    RETURN_IF_ERROR(context.Check());
    RETURN_IF_ERROR(status);
    GenerateResult result;
    result.logprob = logprob;
    result.alternative_logprob = -4;
    if (request.span_sources.empty()) {
      for (const char byte : prose) RETURN_IF_ERROR(on_text(std::string_view(&byte, 1)));
      result.finish_reason = finish_reason;
      return result;
    }
    result.finish_reason = "span";
    result.span_source = choose(request);
    if (result.span_source >= static_cast<int32_t>(request.span_sources.size())) {
      result.span_source = request.alternatives.empty() ? 0 : -1;
    }
    if (result.span_source >= 0) {
      result.span_end = static_cast<uint32_t>(
          request.span_sources[static_cast<size_t>(result.span_source)].size());
    }
    return result;
  }
};

// Vectors over hashed words, so that texts that share words are near.
inline std::vector<float> WordVector(std::string_view text) {
  std::vector<float> vector(64, 0.0f);
  for (const TextWord& word : WordsOf(text)) {
    if (!IsFunctionWord(word.folded)) vector[std::hash<std::string>()(word.folded) % 64] += 1;
  }
  float length = 0;
  for (const float x : vector) length += x * x;
  for (float& x : vector) x /= std::max(std::sqrt(length), 1e-6f);
  return vector;
}

inline AnswerServices FakeServices(Generator* generator) {
  AnswerServices services;
  services.generator = generator;
  services.embed = [](const std::vector<std::string>& texts, bool) {
    std::vector<std::vector<float>> vectors;
    for (const std::string& text : texts) vectors.push_back(WordVector(text));
    return Result<std::vector<std::vector<float>>>(std::move(vectors));
  };
  services.term_weights = [](std::string_view text) {
    std::vector<std::pair<std::string, double>> weights;
    for (const TextWord& word : WordsOf(text)) {
      weights.emplace_back(word.folded, IsFunctionWord(word.folded) ? 0.1 : 2.0);
    }
    return Result<std::vector<std::pair<std::string, double>>>(std::move(weights));
  };
  services.sentences = [](std::string_view text) {
    std::vector<std::pair<size_t, size_t>> ranges;
    size_t begin = 0;
    for (size_t at = 0; at < text.size(); ++at) {
      if ((text[at] == '.' && (at + 1 == text.size() || text[at + 1] == ' ')) || text[at] == '\n') {
        ranges.emplace_back(begin, at + 1);
        begin = at + 1;
      }
    }
    if (begin < text.size()) ranges.emplace_back(begin, text.size());
    return ranges;
  };
  return services;
}

inline EvidencePassage PassageOf(std::string text, double vector_score = 0.8, uint64_t document = 1,
                                 uint32_t ordinal = 0) {
  EvidencePassage passage;
  passage.text = std::move(text);
  passage.score = passage.vector_score = vector_score;
  passage.document = document;
  passage.ordinal = ordinal;
  return passage;
}

}  // namespace ragstone::llm

#include "tests/testing/fake_models.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/hash.h"

namespace ragstone::testing {

namespace {

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : std::string(text) + " ") {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

void AddVector(const std::vector<int32_t>& ids, std::vector<float>* out) {
  std::vector<float> vector(kFakeDimensions, 0.0f);
  for (size_t i = 0; i + 2 < ids.size(); ++i) {
    const auto run = std::string_view(reinterpret_cast<const char*>(&ids[i]), 3 * sizeof(ids[i]));
    vector[FastHash(run) % kFakeDimensions] += 1.0f;
  }
  vector[0] += 0.01f;  // never zero
  float norm = 0;
  for (const float value : vector) norm += value * value;
  for (const float value : vector) out->push_back(value / std::sqrt(norm));
}

}  // namespace

Result<llm::EmbedderInfo> FakeEmbedder::Info(const CallContext& /*context*/) {
  return llm::EmbedderInfo{kFakeDimensions, 256, 100, "fake"};
}

Result<std::vector<float>> FakeEmbedder::Embed(std::span<const std::vector<int32_t>> texts,
                                               const CallContext& context) {
  ++calls;
  if (before_embed) RETURN_IF_ERROR(before_embed());
  RETURN_IF_ERROR(context.Check());
  std::vector<float> vectors;
  for (const std::vector<int32_t>& ids : texts) AddVector(ids, &vectors);
  texts_embedded += texts.size();
  return vectors;
}

Result<llm::GeneratorInfo> FakeGenerator::Info(const CallContext& /*context*/) {
  llm::GeneratorInfo info;
  info.context_tokens = 2048;
  info.parameters = 1000;
  info.device = "fake";
  return info;
}

Result<std::vector<uint32_t>> FakeGenerator::CountTokens(std::span<const std::string> texts,
                                                         const CallContext& /*context*/) {
  std::vector<uint32_t> counts;
  for (const std::string& text : texts) {
    counts.push_back(static_cast<uint32_t>(text.size() / 4 + 1));
  }
  return counts;
}

Result<llm::GenerateResult> FakeGenerator::Generate(
    const llm::GenerateRequest& request, const std::function<Status(std::string_view)>& on_text,
    const CallContext& context) {
  if (before_generate) RETURN_IF_ERROR(before_generate());
  RETURN_IF_ERROR(context.Check());
  std::string prompt;
  for (const llm::PromptPart& part : request.prompt) prompt += part.text;
  for (const llm::ChatMessage& message : request.messages) prompt += message.text;
  llm::GenerateResult result;
  result.logprob = -0.5;
  result.alternative_logprob = -5.0;
  result.finish_reason = "stop";
  if (!request.score_continuation.empty()) return result;

  const std::string tail = prompt.substr(prompt.size() - std::min<size_t>(prompt.size(), 200));
  const std::vector<std::string> asked = Words(tail);
  const std::set<std::string> wanted(asked.begin(), asked.end());
  size_t best = 0;
  for (size_t i = 0; i < request.span_sources.size(); ++i) {
    size_t shared = 0;
    for (const std::string& word : Words(request.span_sources[i])) shared += wanted.count(word);
    if (result.span_source >= 0 && shared <= best) continue;
    best = shared;
    result.span_source = static_cast<int32_t>(i);
  }
  std::string text = "Nothing.";
  if (result.span_source >= 0) {
    const std::string& source = request.span_sources[static_cast<size_t>(result.span_source)];
    size_t end = 0;
    for (int words = 0; words < 4 && end != std::string::npos; ++words) {
      end = source.find(' ', end + 1);
    }
    result.span_end = static_cast<uint32_t>(std::min(end, source.size()));
    text = source.substr(0, result.span_end);
    result.finish_reason = "span";
  }
  RETURN_IF_ERROR(on_text(text));
  result.generated_tokens = 4;
  return result;
}

}  // namespace ragstone::testing

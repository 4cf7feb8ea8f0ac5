#include "llm/llama/llama_generator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <random>
#include <utility>

#include "llm/llama/compute_thread.h"
#include "llm/llama/logits.h"
#include "llm/llama/prompt.h"
#include "llm/llama/session.h"
#include "llm/llama/span_decoder.h"
#include "llm/llama/token_table.h"
#include "llm/stop_filter.h"

namespace ragstone::llm {
namespace {

constexpr uint32_t kContextDefault = 4096;
constexpr uint32_t kTokensDefault = 256;
constexpr uint32_t kSpanWordsDefault = 16;
constexpr uint32_t kSpanTokensMax = 64;
constexpr size_t kSpanSourcesMax = 256;
constexpr size_t kSpanBytesMax = 1 << 16;
constexpr size_t kStopsMax = 16;
constexpr size_t kWaitingMax = 32;
// No vocabulary has tokens that are longer on average over a text; longer prompts are not
// tokenised.
constexpr size_t kBytesPerTokenMax = 64;

using SteadyClock = std::chrono::steady_clock;

double MillisecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

Status CheckRequest(const GenerateRequest& request) {
  if (request.prompt.empty() == request.messages.empty()) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "give either prompt or messages, and not both");
  }
  for (const ChatMessage& message : request.messages) {
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      return InvalidArgument(Reason::kInvalidArgument,
                             "a message has a role other than system, user and assistant");
    }
  }
  if (request.stop.size() > kStopsMax) {
    return InvalidArgument(Reason::kLimitExceeded, std::to_string(request.stop.size()) +
                                                       " stop texts, at most " +
                                                       std::to_string(kStopsMax) + " are allowed");
  }
  if (!(request.temperature >= 0 && request.temperature <= 10)) {
    return InvalidArgument(Reason::kInvalidArgument, "temperature is outside 0 to 10");
  }
  size_t bytes = 0;
  for (const std::string& source : request.span_sources) bytes += source.size();
  for (const std::string& alternative : request.alternatives) bytes += alternative.size();
  if (request.span_sources.size() + request.alternatives.size() > kSpanSourcesMax ||
      bytes > kSpanBytesMax) {
    return InvalidArgument(Reason::kLimitExceeded,
                           "span sources and alternatives have " + std::to_string(bytes) +
                               " bytes, at most " + std::to_string(kSpanSourcesMax) +
                               " texts with " + std::to_string(kSpanBytesMax) +
                               " bytes are allowed; give less text");
  }
  return OkStatus();
}

}  // namespace

class LlamaGenerator::Impl {
 public:
  Status Load(const std::filesystem::path& file, const LlamaGeneratorOptions& options);
  const GeneratorInfo& info() const { return info_; }
  const TokenTable& table() const { return *table_; }
  Result<GenerateResult> Generate(const GenerateRequest& request,
                                  const std::function<Status(std::string_view)>& on_text,
                                  const CallContext& context);

 private:
  using OnText = std::function<Status(std::string_view)>;

  Result<std::vector<llama_token>> Prompt(const GenerateRequest& request) const;
  Status Run(const GenerateRequest& request, const std::vector<llama_token>& prompt,
             const OnText& on_text, const CallContext& context, GenerateResult* result);
  Status Write(const GenerateRequest& request, const OnText& on_text, const CallContext& context,
               GenerateResult* result);
  Status ChooseSpan(const GenerateRequest& request, const OnText& on_text,
                    const CallContext& context, GenerateResult* result);
  // The mean log-probability of a text after the prompt.
  Result<double> Score(const std::vector<llama_token>& tokens, uint32_t prompt_tokens,
                       const CallContext& context);

  ModelPtr model_;
  std::unique_ptr<TokenTable> table_;
  std::unique_ptr<Session> session_;
  GeneratorInfo info_;
  ComputeThread thread_{"the language model", kWaitingMax};  // computes on all above
};

Status LlamaGenerator::Impl::Load(const std::filesystem::path& file,
                                  const LlamaGeneratorOptions& options) {
  LoadOptions load;
  load.gpu_layers = options.gpu_layers;
  ASSIGN_OR_RETURN(model_, LoadModel(file, load));
  if (!llama_model_has_decoder(model_.get()) || llama_model_has_encoder(model_.get())) {
    return InvalidArgument(Reason::kModelUnsupported,
                           file.string() + " is not a model that continues text");
  }
  table_ = std::make_unique<TokenTable>(llama_model_get_vocab(model_.get()));
  const auto trained = static_cast<uint32_t>(std::max(1, llama_model_n_ctx_train(model_.get())));
  info_.context_tokens =
      std::min(trained, options.context_tokens > 0 ? options.context_tokens : kContextDefault);
  const char* chat_template = llama_model_chat_template(model_.get(), nullptr);
  if (chat_template != nullptr) info_.chat_template = chat_template;
  info_.parameters = llama_model_n_params(model_.get());
  info_.device = DeviceName(options.gpu_layers);
  SessionOptions session;
  session.context_tokens = info_.context_tokens;
  session.threads = ThreadCount(options.threads);
  session.sequences = kSpanSequences;
  session.gpu_layers = options.gpu_layers;
  ASSIGN_OR_RETURN(session_, Session::Create(model_.get(), session));
  return OkStatus();
}

Result<std::vector<llama_token>> LlamaGenerator::Impl::Prompt(
    const GenerateRequest& request) const {
  const std::vector<PromptPart> parts =
      request.messages.empty() ? request.prompt
                               : ApplyChatTemplate(info_.chat_template, request.messages);
  size_t bytes = 0;
  for (const PromptPart& part : parts) bytes += part.text.size();
  if (bytes > size_t{info_.context_tokens} * kBytesPerTokenMax) {
    return InvalidArgument(Reason::kQueryTooLong,
                           "the prompt has " + std::to_string(bytes) +
                               " bytes, which cannot fit into the model's context of " +
                               std::to_string(info_.context_tokens) + " tokens; shorten it");
  }
  std::vector<llama_token> tokens = TokenizePrompt(*table_, parts);
  if (tokens.empty()) {
    return InvalidArgument(Reason::kInvalidArgument, "the prompt is empty");
  }
  return tokens;
}

Result<GenerateResult> LlamaGenerator::Impl::Generate(const GenerateRequest& request,
                                                      const OnText& on_text,
                                                      const CallContext& context) {
  RETURN_IF_ERROR(CheckRequest(request));
  ASSIGN_OR_RETURN(const std::vector<llama_token> prompt, Prompt(request));
  GenerateResult result;
  result.prompt_tokens = static_cast<uint32_t>(prompt.size());
  RETURN_IF_ERROR(
      thread_.Run([&] { return Run(request, prompt, on_text, context, &result); }, context));
  return result;
}

Status LlamaGenerator::Impl::Run(const GenerateRequest& request,
                                 const std::vector<llama_token>& prompt, const OnText& on_text,
                                 const CallContext& context, GenerateResult* result) {
  const bool scoring = !request.score_continuation.empty();
  const bool spans = !request.span_sources.empty() || !request.alternatives.empty();
  std::vector<llama_token> scored;
  uint32_t wanted = request.tokens_max > 0 ? request.tokens_max : kTokensDefault;
  if (spans) wanted = std::min(wanted, kSpanTokensMax);
  if (scoring) {
    scored = table_->Tokenize(request.score_continuation, false);
    wanted = static_cast<uint32_t>(scored.size());
  }
  if (prompt.size() + wanted > info_.context_tokens) {
    return InvalidArgument(
        Reason::kQueryTooLong,
        "prompt (" + std::to_string(prompt.size()) + " tokens) and answer (" +
            std::to_string(wanted) + ") do not fit into the model's context of " +
            std::to_string(info_.context_tokens) + " tokens; shorten the prompt or ask for less");
  }
  const SteadyClock::time_point start = SteadyClock::now();
  ASSIGN_OR_RETURN(result->reused_tokens, session_->SetPrompt(prompt, context));
  result->prompt_ms = MillisecondsSince(start);
  const SteadyClock::time_point begin = SteadyClock::now();
  Status status;
  if (scoring) {
    Result<double> score = Score(scored, result->prompt_tokens, context);
    status = score.status();
    if (status.ok()) result->logprob = *score;
    result->finish_reason = "stop";
  } else if (spans) {
    status = ChooseSpan(request, on_text, context, result);
  } else {
    status = Write(request, on_text, context, result);
  }
  result->generate_ms = MillisecondsSince(begin);
  return status;
}

Status LlamaGenerator::Impl::Write(const GenerateRequest& request, const OnText& on_text,
                                   const CallContext& context, GenerateResult* result) {
  const uint32_t tokens_max = request.tokens_max > 0 ? request.tokens_max : kTokensDefault;
  StopFilter filter(request.stop);
  std::mt19937 random(request.seed);
  std::vector<float> logits = session_->prompt_logits();
  result->finish_reason = "length";
  while (true) {
    const double unit = random() / 4294967296.0;
    const llama_token token = request.temperature > 0
                                  ? SampleToken(logits, request.temperature, unit)
                                  : BestToken(logits);
    if (table_->IsEnd(token)) {
      result->finish_reason = "stop";
      break;
    }
    ++result->generated_tokens;
    const std::string text = filter.Push(table_->Piece(token));
    if (!text.empty()) RETURN_IF_ERROR(on_text(text));
    if (filter.stopped()) {
      result->finish_reason = "stop";
      break;
    }
    if (result->generated_tokens >= tokens_max) break;
    const auto position =
        static_cast<llama_pos>(result->prompt_tokens + result->generated_tokens - 1);
    const SessionToken next{token, position, 0, true};
    RETURN_IF_ERROR(session_->Decode({&next, 1}, context));
    const float* values = session_->Logits(0);
    if (values == nullptr) return Internal("llama.cpp returns no logits");
    logits.assign(values, values + session_->vocabulary());
  }
  const std::string text = filter.Finish();
  if (!text.empty()) RETURN_IF_ERROR(on_text(text));
  return OkStatus();
}

Status LlamaGenerator::Impl::ChooseSpan(const GenerateRequest& request, const OnText& on_text,
                                        const CallContext& context, GenerateResult* result) {
  const SpanMatcher matcher(
      request.span_sources, request.alternatives,
      request.span_words_max > 0 ? request.span_words_max : kSpanWordsDefault);
  SpanDecodeOptions span;
  span.prompt_tokens = result->prompt_tokens;
  span.tokens_max =
      std::min(request.tokens_max > 0 ? request.tokens_max : kTokensDefault, kSpanTokensMax);
  span.stop = request.stop;
  ASSIGN_OR_RETURN(SpanChoice choice, DecodeSpan(session_.get(), *table_, matcher, span, context));
  result->finish_reason = "span";
  result->generated_tokens = choice.tokens;
  result->logprob = choice.logprob;
  result->span_source = choice.span.source;
  result->span_begin = choice.span.begin;
  result->span_end = choice.span.end;
  if (!request.alternatives.empty()) {
    // With and without a space before it, as the prompt may ask for either.
    const std::string& text = request.alternatives.front();
    double best = 0;
    for (const std::string& written : {text, " " + text}) {
      const std::vector<llama_token> tokens = table_->Tokenize(written, false);
      if (tokens.empty() || tokens.size() > kSpanTokensMax) continue;
      ASSIGN_OR_RETURN(const double score, Score(tokens, result->prompt_tokens, context));
      best = best == 0 ? score : std::max(best, score);
    }
    result->alternative_logprob = best;
  }
  return on_text(choice.span.text);
}

Result<double> LlamaGenerator::Impl::Score(const std::vector<llama_token>& tokens,
                                           uint32_t prompt_tokens, const CallContext& context) {
  if (tokens.empty()) return 0.0;
  // In a sequence of its own, so that the prompt stays as it is.
  constexpr llama_seq_id kSequence = 1;
  session_->Fork(0, kSequence);
  const size_t vocabulary = session_->vocabulary();
  const auto logprob_of = [&](std::span<const float> logits, llama_token token) {
    return logits[static_cast<size_t>(token)] - LogSumExp(logits);
  };
  double sum = logprob_of(session_->prompt_logits(), tokens[0]);
  constexpr size_t kAtOnce = 64;
  for (size_t begin = 0; begin + 1 < tokens.size(); begin += kAtOnce) {
    std::vector<SessionToken> batch;
    for (size_t i = begin; i < std::min(begin + kAtOnce, tokens.size() - 1); ++i) {
      batch.push_back({tokens[i], static_cast<llama_pos>(prompt_tokens + i), kSequence, true});
    }
    RETURN_IF_ERROR(session_->Decode(batch, context));
    for (size_t i = 0; i < batch.size(); ++i) {
      const float* logits = session_->Logits(i);
      if (logits == nullptr) return Internal("llama.cpp returns no logits");
      sum += logprob_of({logits, vocabulary}, tokens[begin + i + 1]);
    }
  }
  session_->Drop(kSequence);
  return sum / static_cast<double>(tokens.size());
}

LlamaGenerator::LlamaGenerator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LlamaGenerator::~LlamaGenerator() = default;

Result<std::unique_ptr<LlamaGenerator>> LlamaGenerator::Load(const std::filesystem::path& file,
                                                             const LlamaGeneratorOptions& options) {
  auto impl = std::make_unique<Impl>();
  RETURN_IF_ERROR(impl->Load(file, options));
  return std::unique_ptr<LlamaGenerator>(new LlamaGenerator(std::move(impl)));
}

Result<GeneratorInfo> LlamaGenerator::Info(const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  return impl_->info();
}

Result<std::vector<uint32_t>> LlamaGenerator::CountTokens(std::span<const std::string> texts,
                                                          const CallContext& context) {
  std::vector<uint32_t> counts;
  for (const std::string& text : texts) {
    RETURN_IF_ERROR(context.Check());
    counts.push_back(static_cast<uint32_t>(impl_->table().Tokenize(text, false).size()));
  }
  return counts;
}

Result<GenerateResult> LlamaGenerator::Generate(
    const GenerateRequest& request, const std::function<Status(std::string_view)>& on_text,
    const CallContext& context) {
  return impl_->Generate(request, on_text, context);
}

}  // namespace ragstone::llm

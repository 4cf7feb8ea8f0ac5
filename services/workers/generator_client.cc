#include "services/workers/generator_client.h"

#include <algorithm>

#include "ragstone/worker/v1/generator.grpc.pb.h"
#include "services/workers/grpc_client.h"

namespace ragstone::services {

namespace {

namespace wire = worker::v1;

// Text counted in one request; more goes into several.
constexpr size_t kCountBytesMax = 4 << 20;

wire::GenerateRequest ToWire(const llm::GenerateRequest& request) {
  wire::GenerateRequest message;
  for (const llm::PromptPart& part : request.prompt) {
    wire::PromptPart* added = message.add_prompt();
    added->set_text(part.text);
    added->set_control(part.control);
  }
  for (const llm::ChatMessage& chat : request.messages) {
    wire::ChatMessage* added = message.add_messages();
    added->set_role(chat.role);
    added->set_text(chat.text);
  }
  message.set_tokens_max(request.tokens_max);
  message.set_temperature(request.temperature);
  message.set_seed(request.seed);
  message.set_span_words_max(request.span_words_max);
  message.set_score_continuation(request.score_continuation);
  for (const std::string& stop : request.stop) message.add_stop(stop);
  for (const std::string& source : request.span_sources) message.add_span_sources(source);
  for (const std::string& alternative : request.alternatives) {
    message.add_alternatives(alternative);
  }
  return message;
}

llm::GenerateResult FromWire(const wire::GenerateDone& done) {
  llm::GenerateResult result;
  result.finish_reason = done.finish_reason();
  result.prompt_tokens = done.prompt_tokens();
  result.reused_tokens = done.reused_tokens();
  result.generated_tokens = done.generated_tokens();
  result.prompt_ms = done.prompt_ms();
  result.generate_ms = done.generate_ms();
  result.logprob = done.logprob();
  result.span_source = done.span_source();
  result.span_begin = done.span_begin();
  result.span_end = done.span_end();
  result.alternative_logprob = done.alternative_logprob();
  return result;
}

// A span that lies within the source it names, or none.
Status CheckSpan(const llm::GenerateRequest& request, const llm::GenerateResult& result) {
  if (result.span_source < 0) return OkStatus();
  const auto source = static_cast<size_t>(result.span_source);
  if (source < request.span_sources.size() && result.span_begin <= result.span_end &&
      result.span_end <= request.span_sources[source].size()) {
    return OkStatus();
  }
  return Internal("the generate worker sent a span outside of its sources");
}

// Texts that go into one request: at least one.
size_t PieceSize(std::span<const std::string> texts) {
  size_t bytes = 0;
  size_t count = 0;
  while (count < texts.size()) {
    bytes += texts[count].size();
    if (count > 0 && bytes > kCountBytesMax) break;
    ++count;
  }
  return count;
}

}  // namespace

Result<llm::GeneratorInfo> RemoteGenerator::Info(const CallContext& context) {
  {
    MutexLock lock(&mutex_);
    if (info_) return *info_;
  }
  wire::GetGeneratorInfoResponse response;
  RETURN_IF_ERROR(CallWorker(slot_.get(), context, {}, [&response](Attempt* attempt) {
    return wire::Generator::NewStub(attempt->channel)->GetInfo(&attempt->call, {}, &response);
  }));
  llm::GeneratorInfo info;
  info.context_tokens = response.context_tokens();
  info.chat_template = response.chat_template();
  info.parameters = response.parameters();
  info.device = response.device();
  slot_->SetDevice(info.device);
  MutexLock lock(&mutex_);
  info_ = info;
  return info;
}

Result<std::vector<uint32_t>> RemoteGenerator::CountTokens(std::span<const std::string> texts,
                                                           const CallContext& context) {
  std::vector<uint32_t> counts;
  while (!texts.empty()) {
    const auto piece = texts.first(PieceSize(texts));
    wire::CountTokensRequest request;
    for (const std::string& text : piece) request.add_texts(text);
    wire::CountTokensResponse response;
    RETURN_IF_ERROR(CallWorker(slot_.get(), context, {}, [&](Attempt* attempt) {
      return wire::Generator::NewStub(attempt->channel)
          ->CountTokens(&attempt->call, request, &response);
    }));
    if (static_cast<size_t>(response.counts_size()) != piece.size()) {
      return Internal("the generate worker counted " + std::to_string(response.counts_size()) +
                      " of " + std::to_string(piece.size()) + " texts");
    }
    counts.insert(counts.end(), response.counts().begin(), response.counts().end());
    texts = texts.subspan(piece.size());
  }
  return counts;
}

Result<llm::GenerateResult> RemoteGenerator::Generate(
    const llm::GenerateRequest& request, const std::function<Status(std::string_view)>& on_text,
    const CallContext& context) {
  const wire::GenerateRequest message = ToWire(request);
  std::optional<llm::GenerateResult> result;
  RETURN_IF_ERROR(CallWorker(slot_.get(), context, {}, [&](Attempt* attempt) {
    const auto stub = wire::Generator::NewStub(attempt->channel);
    const auto stream = stub->Generate(&attempt->call, message);
    wire::GenerateResponse response;
    while (stream->Read(&response)) {
      attempt->received = true;
      if (response.has_done()) result = FromWire(response.done());
      if (!response.has_text() || !on_text) continue;
      const Status taken = on_text(response.text());
      if (taken.ok()) continue;
      attempt->own_error = taken;
      attempt->call.TryCancel();
      break;
    }
    return stream->Finish();
  }));
  if (!result) return Internal("the generate worker ended its answer without a result");
  RETURN_IF_ERROR(CheckSpan(request, *result));
  return *result;
}

}  // namespace ragstone::services

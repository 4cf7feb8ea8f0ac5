#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "ragstone/worker/v1/generator.grpc.pb.h"
#include "services/workers/model_rpc.h"
#include "services/workers/model_services.h"

namespace ragstone::services {
namespace {

using std::chrono::steady_clock;

// Text is sent this often at most: people read no faster, and every message wakes its reader.
constexpr std::chrono::milliseconds kTextInterval{60};

namespace worker = ::ragstone::worker::v1;

constexpr size_t kThreads = 8;
constexpr size_t kCallsMax = 64;

llm::GenerateRequest FromProto(const worker::GenerateRequest& proto) {
  llm::GenerateRequest request;
  for (const worker::PromptPart& part : proto.prompt()) {
    request.prompt.push_back({part.text(), part.control()});
  }
  for (const worker::ChatMessage& message : proto.messages()) {
    request.messages.push_back({message.role(), message.text()});
  }
  request.tokens_max = proto.tokens_max();
  request.stop.assign(proto.stop().begin(), proto.stop().end());
  request.temperature = proto.temperature();
  request.seed = proto.seed();
  request.span_sources.assign(proto.span_sources().begin(), proto.span_sources().end());
  request.alternatives.assign(proto.alternatives().begin(), proto.alternatives().end());
  request.span_words_max = proto.span_words_max();
  request.score_continuation = proto.score_continuation();
  return request;
}

void ToProto(const llm::GenerateResult& result, worker::GenerateDone* done) {
  done->set_finish_reason(result.finish_reason);
  done->set_prompt_tokens(result.prompt_tokens);
  done->set_reused_tokens(result.reused_tokens);
  done->set_generated_tokens(result.generated_tokens);
  done->set_prompt_ms(result.prompt_ms);
  done->set_generate_ms(result.generate_ms);
  done->set_logprob(result.logprob);
  done->set_span_source(result.span_source);
  done->set_span_begin(result.span_begin);
  done->set_span_end(result.span_end);
  done->set_alternative_logprob(result.alternative_logprob);
}

class GeneratorService final : public worker::Generator::CallbackService {
 public:
  explicit GeneratorService(std::unique_ptr<llm::Generator> generator)
      : generator_(std::move(generator)), threads_(kThreads, kCallsMax) {}

  grpc::ServerUnaryReactor* GetInfo(grpc::CallbackServerContext* context,
                                    const worker::GetGeneratorInfoRequest*,
                                    worker::GetGeneratorInfoResponse* response) override {
    return UnaryCall::Start(&threads_, context, [this, response](const CallContext& call) {
      ASSIGN_OR_RETURN(const llm::GeneratorInfo info, generator_->Info(call));
      response->set_context_tokens(info.context_tokens);
      response->set_chat_template(info.chat_template);
      response->set_parameters(info.parameters);
      response->set_device(info.device);
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* CountTokens(grpc::CallbackServerContext* context,
                                        const worker::CountTokensRequest* request,
                                        worker::CountTokensResponse* response) override {
    return UnaryCall::Start(&threads_, context, [this, request, response](const CallContext& call) {
      const std::vector<std::string> texts(request->texts().begin(), request->texts().end());
      ASSIGN_OR_RETURN(const std::vector<uint32_t> counts, generator_->CountTokens(texts, call));
      response->mutable_counts()->Assign(counts.begin(), counts.end());
      return OkStatus();
    });
  }

  grpc::ServerWriteReactor<worker::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const worker::GenerateRequest* request) override {
    using Call = StreamCall<worker::GenerateResponse>;
    return Call::Start(&threads_, context, [this, request](Call* call, const CallContext& context) {
      std::string pending;
      auto sent = steady_clock::time_point::min();
      const auto send = [&] {
        worker::GenerateResponse response;
        response.set_text(std::move(pending));
        pending.clear();
        sent = steady_clock::now();
        return call->Write(response);
      };
      const auto on_text = [&](std::string_view text) {
        MaybeCrashForTest();
        pending += text;
        if (sent != steady_clock::time_point::min() && steady_clock::now() < sent + kTextInterval) {
          return OkStatus();
        }
        return send();
      };
      ASSIGN_OR_RETURN(const llm::GenerateResult result,
                       generator_->Generate(FromProto(*request), on_text, context));
      if (!pending.empty()) RETURN_IF_ERROR(send());
      worker::GenerateResponse response;
      ToProto(result, response.mutable_done());
      return call->Write(response);
    });
  }

 private:
  std::unique_ptr<llm::Generator> generator_;
  HandlerThreads threads_;  // last: its threads use the generator
};

}  // namespace

std::unique_ptr<grpc::Service> NewGeneratorService(std::unique_ptr<llm::Generator> generator) {
  return std::make_unique<GeneratorService>(std::move(generator));
}

}  // namespace ragstone::services

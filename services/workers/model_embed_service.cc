#include <unistd.h>

#include <cstdio>
#include <utility>
#include <vector>

#include "ragstone/worker/v1/embedder.grpc.pb.h"
#include "services/workers/exit_codes.h"
#include "services/workers/model_rpc.h"
#include "services/workers/model_services.h"

namespace ragstone::services {
namespace {

namespace worker = ::ragstone::worker::v1;

// Callers wait in handler threads while the embedder orders their batches by size, so there are
// more threads than cores: a question must reach the embedder although documents wait.
constexpr size_t kThreads = 32;
constexpr size_t kCallsMax = 256;

// A device that failed stays so for the life of the process; the parent starts another one and
// repeats the call.
[[noreturn]] void EndWorker(const Status& status) {
  std::fprintf(stderr, "%s\n", status.message().c_str());
  std::fflush(nullptr);
  _exit(kDeviceFailedExit);
}

class EmbedderService final : public worker::Embedder::CallbackService {
 public:
  explicit EmbedderService(std::unique_ptr<llm::Embedder> embedder)
      : embedder_(std::move(embedder)), threads_(kThreads, kCallsMax) {}

  grpc::ServerUnaryReactor* GetInfo(grpc::CallbackServerContext* context,
                                    const worker::GetEmbedderInfoRequest*,
                                    worker::GetEmbedderInfoResponse* response) override {
    return UnaryCall::Start(&threads_, context, [this, response](const CallContext& call) {
      ASSIGN_OR_RETURN(const llm::EmbedderInfo info, embedder_->Info(call));
      response->set_dimensions(info.dimensions);
      response->set_tokens_max(info.tokens_max);
      response->set_vocabulary(info.vocabulary);
      response->set_device(info.device);
      return OkStatus();
    });
  }

  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context,
                                  const worker::EmbedRequest* request,
                                  worker::EmbedResponse* response) override {
    return UnaryCall::Start(&threads_, context, [this, request, response](const CallContext& call) {
      std::vector<std::vector<int32_t>> texts;
      texts.reserve(static_cast<size_t>(request->texts_size()));
      for (const worker::TokenSequence& text : request->texts()) {
        texts.emplace_back(text.ids().begin(), text.ids().end());
      }
      ASSIGN_OR_RETURN(const llm::EmbedderInfo info, embedder_->Info(call));
      const Result<std::vector<float>> embedded = embedder_->Embed(texts, call);
      if (embedded.status().reason() == Reason::kWorkerUnavailable) EndWorker(embedded.status());
      ASSIGN_OR_RETURN(const std::vector<float> values, embedded);
      MaybeCrashForTest();
      response->set_dimensions(info.dimensions);
      response->mutable_values()->Assign(values.begin(), values.end());
      return OkStatus();
    });
  }

 private:
  std::unique_ptr<llm::Embedder> embedder_;
  HandlerThreads threads_;  // last: its threads use the embedder
};

}  // namespace

std::unique_ptr<grpc::Service> NewEmbedderService(std::unique_ptr<llm::Embedder> embedder) {
  return std::make_unique<EmbedderService>(std::move(embedder));
}

}  // namespace ragstone::services

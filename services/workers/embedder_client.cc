#include "services/workers/embedder_client.h"

#include <algorithm>
#include <cmath>

#include "ragstone/worker/v1/embedder.grpc.pb.h"
#include "services/workers/grpc_client.h"

namespace ragstone::services {

namespace {

namespace wire = worker::v1;

constexpr size_t kTextsMax = 256;
constexpr size_t kTokensMax = 16'384;
constexpr uint32_t kDimensionsMax = 65'536;
// Longer than any piece takes on the slowest machine, so that a hanging worker is found some day.
constexpr std::chrono::milliseconds kPieceTimeMax{600'000};

// The texts that go into one request: at least one.
size_t PieceSize(std::span<const std::vector<int32_t>> texts) {
  size_t tokens = 0;
  size_t count = 0;
  while (count < texts.size() && count < kTextsMax) {
    tokens += texts[count].size();
    if (count > 0 && tokens > kTokensMax) break;
    ++count;
  }
  return count;
}

Status CheckVectors(const wire::EmbedResponse& response, size_t texts) {
  const size_t dimensions = response.dimensions();
  const auto values = static_cast<size_t>(response.values_size());
  if (dimensions == 0 || dimensions > kDimensionsMax || values != texts * dimensions) {
    return Internal("the embed worker sent " + std::to_string(values) + " values for " +
                    std::to_string(texts) + " texts of " + std::to_string(dimensions) +
                    " dimensions");
  }
  if (!std::all_of(response.values().begin(), response.values().end(),
                   [](float value) { return std::isfinite(value); })) {
    return Internal("the embed worker sent values that are not numbers; the model is damaged");
  }
  return OkStatus();
}

}  // namespace

Result<llm::EmbedderInfo> RemoteEmbedder::Info(const CallContext& context) {
  {
    MutexLock lock(&mutex_);
    if (info_) return *info_;
  }
  wire::GetEmbedderInfoResponse response;
  RETURN_IF_ERROR(CallWorker(slot_.get(), context, {}, [&response](Attempt* attempt) {
    return wire::Embedder::NewStub(attempt->channel)->GetInfo(&attempt->call, {}, &response);
  }));
  llm::EmbedderInfo info;
  info.dimensions = response.dimensions();
  info.tokens_max = response.tokens_max();
  info.vocabulary = response.vocabulary();
  info.device = response.device();
  if (info.dimensions == 0 || info.dimensions > kDimensionsMax) {
    return Internal("the embed worker says that vectors have " + std::to_string(info.dimensions) +
                    " dimensions");
  }
  slot_->SetDevice(info.device);
  MutexLock lock(&mutex_);
  info_ = info;
  return info;
}

Status RemoteEmbedder::EmbedPiece(std::span<const std::vector<int32_t>> texts,
                                  const CallContext& context, std::vector<float>* values) {
  wire::EmbedRequest request;
  for (const std::vector<int32_t>& text : texts) {
    request.add_texts()->mutable_ids()->Assign(text.begin(), text.end());
  }
  wire::EmbedResponse response;
  WorkerCallOptions options;
  options.time_max = kPieceTimeMax;
  RETURN_IF_ERROR(CallWorker(slot_.get(), context, options, [&](Attempt* attempt) {
    return wire::Embedder::NewStub(attempt->channel)->Embed(&attempt->call, request, &response);
  }));
  RETURN_IF_ERROR(CheckVectors(response, texts.size()));
  values->insert(values->end(), response.values().begin(), response.values().end());
  return OkStatus();
}

Result<std::vector<float>> RemoteEmbedder::Embed(std::span<const std::vector<int32_t>> texts,
                                                 const CallContext& context) {
  std::vector<float> values;
  while (!texts.empty()) {
    const size_t count = PieceSize(texts);
    RETURN_IF_ERROR(EmbedPiece(texts.first(count), context, &values));
    texts = texts.subspan(count);
  }
  return values;
}

}  // namespace ragstone::services

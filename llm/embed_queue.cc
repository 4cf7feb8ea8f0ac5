#include "llm/embed_queue.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

namespace ragstone::llm {
namespace {

constexpr size_t kQuestionTextsMax = 4;
constexpr size_t kQuestionTokensMax = 256;
constexpr size_t kRequestsMax = 64;
constexpr size_t kTextsMax = 16384;
// How soon a caller that has gone is noticed.
constexpr std::chrono::milliseconds kCheckPeriod(50);

size_t TokensOf(std::span<const std::vector<int32_t>> texts) {
  return std::accumulate(
      texts.begin(), texts.end(), size_t{0},
      [](size_t sum, const std::vector<int32_t>& text) { return sum + text.size(); });
}

// Texts of similar length share batches; the longest come first, so that no thread ends late on a
// long one.
std::vector<std::vector<uint32_t>> PackTexts(std::span<const std::vector<int32_t>> texts,
                                             const EmbedQueue::Options& options) {
  std::vector<uint32_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return texts[a].size() > texts[b].size(); });
  std::vector<std::vector<uint32_t>> batches;
  size_t tokens = 0;
  for (const uint32_t text : order) {
    const size_t size = texts[text].size();
    if (batches.empty() || tokens + size > options.batch_tokens ||
        batches.back().size() >= options.batch_texts) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(text);
    tokens += size;
  }
  return batches;
}

}  // namespace

Status CheckTexts(std::span<const std::vector<int32_t>> texts, const EmbedderInfo& info) {
  if (texts.size() > kTextsMax) {
    return InvalidArgument(Reason::kLimitExceeded,
                           std::to_string(texts.size()) + " texts in one request, at most " +
                               std::to_string(kTextsMax) + " are allowed; send several requests");
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string which = "text " + std::to_string(i);
    if (texts[i].empty()) {
      return InvalidArgument(Reason::kInvalidArgument, which + " has no tokens; send at least one");
    }
    if (texts[i].size() > info.tokens_max) {
      return InvalidArgument(Reason::kQueryTooLong,
                             which + " has " + std::to_string(texts[i].size()) +
                                 " tokens, the embedding model takes " +
                                 std::to_string(info.tokens_max) + "; shorten it");
    }
    for (const int32_t id : texts[i]) {
      if (id < 0 || static_cast<uint32_t>(id) >= info.vocabulary) {
        return InvalidArgument(Reason::kInvalidArgument, which + " has the token id " +
                                                             std::to_string(id) +
                                                             ", the model's vocabulary ends at " +
                                                             std::to_string(info.vocabulary - 1));
      }
    }
  }
  return OkStatus();
}

Status FinishVector(std::span<float> vector, bool normalize) {
  double sum = 0;
  for (const float value : vector) sum += double{value} * value;
  if (!std::isfinite(sum)) {
    return Internal("the embedding model returns values that are no numbers");
  }
  if (!normalize || sum == 0) return OkStatus();
  const double scale = 1.0 / std::sqrt(sum);
  for (float& value : vector) value = static_cast<float>(value * scale);
  return OkStatus();
}

EmbedQueue::EmbedQueue(const Options& options, std::vector<Compute> workers, Compute questions)
    : options_(options) {
  for (Compute& worker : workers) {
    threads_.emplace_back([this, compute = std::move(worker)] { Work(compute, false); });
  }
  if (questions) {
    threads_.emplace_back([this, compute = std::move(questions)] { Work(compute, true); });
  }
}

EmbedQueue::~EmbedQueue() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

Result<std::vector<float>> EmbedQueue::Embed(std::span<const std::vector<int32_t>> texts,
                                             const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  std::vector<float> vectors(texts.size() * options_.dimensions);
  if (texts.empty()) return vectors;
  Request request;
  request.texts = texts;
  request.vectors = &vectors;
  const bool question = texts.size() <= kQuestionTextsMax && TokensOf(texts) <= kQuestionTokensMax;
  std::vector<std::vector<uint32_t>> packed = PackTexts(texts, options_);

  MutexLock lock(&mutex_);
  if (requests_ >= kRequestsMax || stopping_) {
    return ResourceExhausted(Reason::kQueueFull, "the embedding worker has " +
                                                     std::to_string(kRequestsMax) +
                                                     " requests waiting; try again later");
  }
  ++requests_;
  request.batches_left = packed.size();
  for (std::vector<uint32_t>& batch : packed) {
    (question ? questions_ : documents_).push_back(Batch{&request, std::move(batch)});
  }
  wake_.NotifyAll();
  while (request.batches_left > 0) {
    done_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kCheckPeriod);
    if (request.status.ok()) request.status = context.Check();
    if (!request.status.ok()) Withdraw(&request);
  }
  --requests_;
  if (!request.status.ok()) return request.status;
  return vectors;
}

// Takes back what has not begun.
void EmbedQueue::Withdraw(Request* request) {
  for (std::deque<Batch>* queue : {&questions_, &documents_}) {
    request->batches_left -=
        std::erase_if(*queue, [request](const Batch& batch) { return batch.request == request; });
  }
}

bool EmbedQueue::TakeBatch(bool questions_only, Batch* batch) {
  MutexLock lock(&mutex_);
  while (true) {
    // Batches left at the end are still answered: their callers wait for them.
    std::deque<Batch>* queue = !questions_.empty() ? &questions_
                               : questions_only    ? nullptr
                                                   : &documents_;
    if (queue != nullptr && !queue->empty()) {
      *batch = std::move(queue->front());
      queue->pop_front();
      return true;
    }
    if (stopping_) return false;
    wake_.Wait(&mutex_);
  }
}

void EmbedQueue::Work(const Compute& compute, bool questions_only) {
  Batch batch;
  while (TakeBatch(questions_only, &batch)) {
    Request* request = batch.request;
    Status status = ComputeBatch(compute, batch);
    MutexLock lock(&mutex_);
    --request->batches_left;
    if (!status.ok() && request->status.ok()) request->status = std::move(status);
    if (request->batches_left == 0 || !request->status.ok()) done_.NotifyAll();
  }
}

Status EmbedQueue::ComputeBatch(const Compute& compute, const Batch& batch) const {
  std::vector<std::span<const int32_t>> texts;
  for (const uint32_t text : batch.texts) texts.emplace_back(batch.request->texts[text]);
  std::vector<float> vectors(texts.size() * options_.dimensions);
  RETURN_IF_ERROR(compute(texts, vectors.data()));
  for (size_t i = 0; i < texts.size(); ++i) {
    std::copy_n(vectors.begin() + static_cast<std::ptrdiff_t>(i * options_.dimensions),
                options_.dimensions,
                batch.request->vectors->begin() +
                    static_cast<std::ptrdiff_t>(size_t{batch.texts[i]} * options_.dimensions));
  }
  return OkStatus();
}

}  // namespace ragstone::llm

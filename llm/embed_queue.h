#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "base/call_context.h"
#include "base/mutex.h"
#include "base/status.h"
#include "llm/embedder.h"

namespace ragstone::llm {

// INVALID_ARGUMENT for a text that is empty, too long (QUERY_TOO_LONG) or has ids outside the
// vocabulary, and (LIMIT_EXCEEDED) for more than 16,384 texts.
Status CheckTexts(std::span<const std::vector<int32_t>> texts, const EmbedderInfo& info);

// L2-normalises a vector in place unless it is zero; INTERNAL if it holds values that are no
// numbers.
Status FinishVector(std::span<float> vector, bool normalize);

// Deals the texts of many callers out to the threads that compute. A request is cut into batches of
// texts of similar length; requests of at most 4 texts and 256 tokens are questions and overtake
// the batches of documents that wait. Thread-safe.
class EmbedQueue {
 public:
  using Texts = std::span<const std::span<const int32_t>>;
  // Writes texts.size() × dimensions floats. Called by one thread only.
  using Compute = std::function<Status(Texts texts, float* vectors)>;

  struct Options {
    uint32_t dimensions = 0;
    uint32_t batch_tokens = 0;  // a batch has one text, or at most so many tokens
    uint32_t batch_texts = 64;
  };

  // Starts a thread for each of `workers`, and one for `questions` if it is set.
  EmbedQueue(const Options& options, std::vector<Compute> workers, Compute questions);
  // Must not run while a caller is in Embed.
  ~EmbedQueue();
  EmbedQueue(const EmbedQueue&) = delete;
  EmbedQueue& operator=(const EmbedQueue&) = delete;

  // Returns texts.size() × dimensions floats. The first error of a batch, CANCELLED,
  // DEADLINE_EXCEEDED, or RESOURCE_EXHAUSTED (QUEUE_FULL) if 64 requests wait.
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context);

 private:
  // One call of Embed while its batches are worked off. Lives on the stack of the caller.
  struct Request {
    std::span<const std::vector<int32_t>> texts;
    std::vector<float>* vectors = nullptr;
    size_t batches_left = 0;
    Status status;
  };
  struct Batch {
    Request* request = nullptr;
    std::vector<uint32_t> texts;  // indices into request->texts
  };

  void Work(const Compute& compute, bool questions_only);
  void Withdraw(Request* request) REQUIRES(mutex_);
  bool TakeBatch(bool questions_only, Batch* batch);
  Status ComputeBatch(const Compute& compute, const Batch& batch) const;

  const Options options_;
  Mutex mutex_;
  CondVar wake_;  // work has come
  CondVar done_;  // a request is complete
  std::deque<Batch> questions_ GUARDED_BY(mutex_);
  std::deque<Batch> documents_ GUARDED_BY(mutex_);
  size_t requests_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace ragstone::llm

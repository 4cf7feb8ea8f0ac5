#include "llm/llama/llama_embedder.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "llm/llama/runtime.h"

namespace ragstone::llm {
namespace {

// What a thread takes at once. On a CPU every text of it is computed by itself: llama.cpp computes
// attention between all tokens it is given and throws away what crosses texts, and its rounding
// depends on them, so a text alone and among others would differ in the third digit.
constexpr uint32_t kBatchTokensCpu = 256;
constexpr uint32_t kBatchTokensGpu = 2048;
constexpr uint32_t kBatchTextsMax = 64;
// A request up to this size is a question: it goes before the batches of documents.
constexpr size_t kSmallTextsMax = 4;
constexpr size_t kSmallTokensMax = 256;
constexpr size_t kRequestsMax = 64;
constexpr size_t kTextsMax = 16384;

// One call of Embed while its batches are worked off. Lives on the stack of the caller.
struct Request {
  std::span<const std::vector<int32_t>> texts;
  const CallContext* context = nullptr;
  std::vector<float>* vectors = nullptr;
  size_t batches_left = 0;
  Status status;
};

struct Batch {
  Request* request = nullptr;
  std::vector<uint32_t> texts;  // indices into request->texts
};

Result<enum llama_pooling_type> PoolingFromName(const std::string& name) {
  if (name.empty()) return LLAMA_POOLING_TYPE_UNSPECIFIED;
  if (name == "mean") return LLAMA_POOLING_TYPE_MEAN;
  if (name == "cls") return LLAMA_POOLING_TYPE_CLS;
  if (name == "last") return LLAMA_POOLING_TYPE_LAST;
  return InvalidArgument(Reason::kModelUnsupported,
                         "pooling '" + name + "' is not one of mean, cls and last");
}

// Texts of similar length share batches of at most `tokens_max` tokens; the longest come first, so
// that no thread ends late on a long one.
std::vector<std::vector<uint32_t>> PackTexts(std::span<const std::vector<int32_t>> texts,
                                             uint32_t tokens_max) {
  std::vector<uint32_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return texts[a].size() > texts[b].size(); });
  std::vector<std::vector<uint32_t>> batches;
  size_t tokens = 0;
  for (const uint32_t text : order) {
    const size_t size = texts[text].size();
    if (batches.empty() || tokens + size > tokens_max || batches.back().size() >= kBatchTextsMax) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(text);
    tokens += size;
  }
  return batches;
}

}  // namespace

class LlamaEmbedder::Impl {
 public:
  ~Impl() {
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      wake_.NotifyAll();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  Status Load(const std::filesystem::path& file, const LlamaEmbedderOptions& options);
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context);
  const EmbedderInfo& info() const { return info_; }

 private:
  Result<ContextPtr> NewContext(const LlamaEmbedderOptions& options) const;
  Status CheckTexts(std::span<const std::vector<int32_t>> texts) const;
  void Work(llama_context* context, bool small_only);
  bool TakeBatch(bool small_only, Batch* batch);
  Status ComputeBatch(llama_context* context, llama_batch* buffer, const Batch& batch) const;
  Status Compute(llama_context* context, llama_batch* buffer, const Request& request,
                 std::span<const uint32_t> texts) const;
  Status Store(const float* values, float* out) const;

  ModelPtr model_;
  EmbedderInfo info_;
  bool normalize_ = true;
  uint32_t batch_tokens_ = kBatchTokensCpu;
  bool packed_ = false;  // several texts in one computation
  std::vector<ContextPtr> contexts_;
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar wake_;  // work has come
  CondVar done_;  // a request is complete
  std::deque<Batch> small_ GUARDED_BY(mutex_);
  std::deque<Batch> large_ GUARDED_BY(mutex_);
  size_t requests_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

Status LlamaEmbedder::Impl::Load(const std::filesystem::path& file,
                                 const LlamaEmbedderOptions& options) {
  LoadOptions load;
  load.gpu_layers = options.gpu_layers;
  ASSIGN_OR_RETURN(model_, LoadModel(file, load));
  const auto trained = static_cast<uint32_t>(std::max(1, llama_model_n_ctx_train(model_.get())));
  info_.tokens_max = options.tokens_max > 0 ? std::min(options.tokens_max, trained) : trained;
  info_.dimensions = static_cast<uint32_t>(llama_model_n_embd_out(model_.get()));
  info_.vocabulary =
      static_cast<uint32_t>(llama_vocab_n_tokens(llama_model_get_vocab(model_.get())));
  info_.device = DeviceName(options.gpu_layers);
  normalize_ = options.normalize;
  const bool gpu = options.gpu_layers != 0;
  packed_ = gpu;
  batch_tokens_ = std::max(gpu ? kBatchTokensGpu : kBatchTokensCpu, info_.tokens_max);

  // A GPU is driven by one thread; on CPUs the last context is the one for questions.
  const uint32_t workers = gpu ? 1 : ThreadCount(options.threads) + 1;
  for (uint32_t i = 0; i < workers; ++i) {
    ASSIGN_OR_RETURN(ContextPtr context, NewContext(options));
    contexts_.push_back(std::move(context));
  }
  for (uint32_t i = 0; i < workers; ++i) {
    const bool small_only = !gpu && i + 1 == workers;
    llama_context* context = contexts_[i].get();
    threads_.emplace_back([this, context, small_only] { Work(context, small_only); });
  }
  return OkStatus();
}

Result<ContextPtr> LlamaEmbedder::Impl::NewContext(const LlamaEmbedderOptions& options) const {
  llama_context_params params = llama_context_default_params();
  params.embeddings = true;
  ASSIGN_OR_RETURN(params.pooling_type, PoolingFromName(options.pooling));
  params.n_ctx = params.n_batch = params.n_ubatch = batch_tokens_;
  params.n_seq_max = kBatchTextsMax;
  params.kv_unified = true;
  params.n_threads = params.n_threads_batch = 1;
  params.flash_attn_type =
      options.gpu_layers != 0 ? LLAMA_FLASH_ATTN_TYPE_AUTO : LLAMA_FLASH_ATTN_TYPE_ENABLED;
  ContextPtr context(llama_init_from_model(model_.get(), params));
  if (context == nullptr) {
    return InvalidArgument(Reason::kModelUnsupported,
                           "the embedding model cannot be set up: " + TakeErrorLog());
  }
  const enum llama_pooling_type pooling = llama_pooling_type(context.get());
  if (pooling != LLAMA_POOLING_TYPE_MEAN && pooling != LLAMA_POOLING_TYPE_CLS &&
      pooling != LLAMA_POOLING_TYPE_LAST) {
    return InvalidArgument(
        Reason::kModelUnsupported,
        "the model file names no pooling for embeddings; name mean, cls or last");
  }
  return context;
}

Status LlamaEmbedder::Impl::CheckTexts(std::span<const std::vector<int32_t>> texts) const {
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
    if (texts[i].size() > info_.tokens_max) {
      return InvalidArgument(Reason::kQueryTooLong,
                             which + " has " + std::to_string(texts[i].size()) +
                                 " tokens, the embedding model takes " +
                                 std::to_string(info_.tokens_max) + "; shorten it");
    }
    for (const int32_t id : texts[i]) {
      if (id < 0 || static_cast<uint32_t>(id) >= info_.vocabulary) {
        return InvalidArgument(Reason::kInvalidArgument, which + " has the token id " +
                                                             std::to_string(id) +
                                                             ", the model's vocabulary ends at " +
                                                             std::to_string(info_.vocabulary - 1));
      }
    }
  }
  return OkStatus();
}

Result<std::vector<float>> LlamaEmbedder::Impl::Embed(std::span<const std::vector<int32_t>> texts,
                                                      const CallContext& context) {
  RETURN_IF_ERROR(CheckTexts(texts));
  RETURN_IF_ERROR(context.Check());
  Request request;
  request.texts = texts;
  request.context = &context;
  std::vector<float> vectors(texts.size() * info_.dimensions);
  if (texts.empty()) return vectors;
  request.vectors = &vectors;
  const size_t tokens = std::accumulate(
      texts.begin(), texts.end(), size_t{0},
      [](size_t sum, const std::vector<int32_t>& text) { return sum + text.size(); });
  const bool small = texts.size() <= kSmallTextsMax && tokens <= kSmallTokensMax;
  std::vector<std::vector<uint32_t>> packed = PackTexts(texts, batch_tokens_);

  MutexLock lock(&mutex_);
  if (requests_ >= kRequestsMax || stopping_) {
    return ResourceExhausted(Reason::kQueueFull, "the embedding worker has " +
                                                     std::to_string(kRequestsMax) +
                                                     " requests waiting; try again later");
  }
  ++requests_;
  request.batches_left = packed.size();
  for (std::vector<uint32_t>& batch : packed) {
    (small ? small_ : large_).push_back(Batch{&request, std::move(batch)});
  }
  wake_.NotifyAll();
  while (request.batches_left > 0) done_.Wait(&mutex_);
  --requests_;
  if (!request.status.ok()) return request.status;
  return vectors;
}

bool LlamaEmbedder::Impl::TakeBatch(bool small_only, Batch* batch) {
  MutexLock lock(&mutex_);
  while (true) {
    // Batches left at the end are still answered: their callers wait for them.
    std::deque<Batch>* queue = !small_.empty() ? &small_ : small_only ? nullptr : &large_;
    if (queue != nullptr && !queue->empty()) {
      *batch = std::move(queue->front());
      queue->pop_front();
      return true;
    }
    if (stopping_) return false;
    wake_.Wait(&mutex_);
  }
}

void LlamaEmbedder::Impl::Work(llama_context* context, bool small_only) {
  llama_batch buffer = llama_batch_init(static_cast<int32_t>(batch_tokens_), 0, 1);
  Batch batch;
  while (TakeBatch(small_only, &batch)) {
    Request* request = batch.request;
    Status status = request->context->Check();
    if (status.ok()) status = ComputeBatch(context, &buffer, batch);
    MutexLock lock(&mutex_);
    if (!status.ok() && request->status.ok()) request->status = std::move(status);
    if (--request->batches_left == 0) done_.NotifyAll();
  }
  llama_batch_free(buffer);
}

Status LlamaEmbedder::Impl::ComputeBatch(llama_context* context, llama_batch* buffer,
                                         const Batch& batch) const {
  const std::span<const uint32_t> texts(batch.texts);
  if (packed_) return Compute(context, buffer, *batch.request, texts);
  for (size_t i = 0; i < texts.size(); ++i) {
    RETURN_IF_ERROR(Compute(context, buffer, *batch.request, texts.subspan(i, 1)));
  }
  return OkStatus();
}

Status LlamaEmbedder::Impl::Compute(llama_context* context, llama_batch* buffer,
                                    const Request& request, std::span<const uint32_t> texts) const {
  int32_t n = 0;
  for (size_t sequence = 0; sequence < texts.size(); ++sequence) {
    const std::vector<int32_t>& text = request.texts[texts[sequence]];
    for (size_t position = 0; position < text.size(); ++position, ++n) {
      buffer->token[n] = text[position];
      buffer->pos[n] = static_cast<llama_pos>(position);
      buffer->n_seq_id[n] = 1;
      buffer->seq_id[n][0] = static_cast<llama_seq_id>(sequence);
      buffer->logits[n] = 1;
    }
  }
  buffer->n_tokens = n;
  llama_memory_t memory = llama_get_memory(context);
  if (memory != nullptr) llama_memory_clear(memory, false);
  const int32_t code =
      memory != nullptr ? llama_decode(context, *buffer) : llama_encode(context, *buffer);
  if (code != 0) {
    return Internal("llama.cpp fails to embed " + std::to_string(n) + " tokens with code " +
                    std::to_string(code) + ": " + TakeErrorLog());
  }
  for (size_t sequence = 0; sequence < texts.size(); ++sequence) {
    const float* values = llama_get_embeddings_seq(context, static_cast<llama_seq_id>(sequence));
    if (values == nullptr) return Internal("llama.cpp returns no embedding for a text");
    RETURN_IF_ERROR(
        Store(values, request.vectors->data() + size_t{texts[sequence]} * info_.dimensions));
  }
  return OkStatus();
}

Status LlamaEmbedder::Impl::Store(const float* values, float* out) const {
  double sum = 0;
  for (uint32_t i = 0; i < info_.dimensions; ++i) sum += double{values[i]} * values[i];
  if (!std::isfinite(sum))
    return Internal("the embedding model returns values that are no numbers");
  const double scale = normalize_ && sum > 0 ? 1.0 / std::sqrt(sum) : 1.0;
  for (uint32_t i = 0; i < info_.dimensions; ++i) {
    out[i] = static_cast<float>(values[i] * scale);
  }
  return OkStatus();
}

LlamaEmbedder::LlamaEmbedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LlamaEmbedder::~LlamaEmbedder() = default;

Result<std::unique_ptr<LlamaEmbedder>> LlamaEmbedder::Load(const std::filesystem::path& file,
                                                           const LlamaEmbedderOptions& options) {
  auto impl = std::make_unique<Impl>();
  RETURN_IF_ERROR(impl->Load(file, options));
  return std::unique_ptr<LlamaEmbedder>(new LlamaEmbedder(std::move(impl)));
}

Result<EmbedderInfo> LlamaEmbedder::Info(const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  return impl_->info();
}

Result<std::vector<float>> LlamaEmbedder::Embed(std::span<const std::vector<int32_t>> texts,
                                                const CallContext& context) {
  return impl_->Embed(texts, context);
}

}  // namespace ragstone::llm

#include "llm/llama/llama_embedder.h"

#include <algorithm>
#include <utility>

#include "llm/embed_queue.h"
#include "llm/llama/runtime.h"

namespace ragstone::llm {
namespace {

// What a thread takes at once. On a CPU every text of it is computed by itself: llama.cpp computes
// attention between all tokens it is given and throws away what crosses texts, and its rounding
// depends on them, so a text alone and among others would differ in the third digit.
constexpr uint32_t kBatchTokensCpu = 256;
constexpr uint32_t kBatchTokensGpu = 2048;
constexpr uint32_t kBatchTextsMax = 64;

Result<enum llama_pooling_type> PoolingFromName(const std::string& name) {
  if (name.empty()) return LLAMA_POOLING_TYPE_UNSPECIFIED;
  if (name == "mean") return LLAMA_POOLING_TYPE_MEAN;
  if (name == "cls") return LLAMA_POOLING_TYPE_CLS;
  if (name == "last") return LLAMA_POOLING_TYPE_LAST;
  return InvalidArgument(Reason::kModelUnsupported,
                         "pooling '" + name + "' is not one of mean, cls and last");
}

}  // namespace

class LlamaEmbedder::Impl {
 public:
  Status Load(const std::filesystem::path& file, const LlamaEmbedderOptions& options);
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context) {
    RETURN_IF_ERROR(CheckTexts(texts, info_));
    return queue_->Embed(texts, context);
  }
  const EmbedderInfo& info() const { return info_; }

 private:
  // What one thread computes with.
  struct Slot {
    ~Slot() { llama_batch_free(batch); }
    ContextPtr context;
    llama_batch batch{};
  };

  Result<ContextPtr> NewContext(const LlamaEmbedderOptions& options) const;
  Result<EmbedQueue::Compute> NewCompute(const LlamaEmbedderOptions& options) const;
  Status ComputeTexts(Slot* slot, EmbedQueue::Texts texts, float* vectors) const;
  Status ComputeAtOnce(Slot* slot, EmbedQueue::Texts texts, float* vectors) const;

  ModelPtr model_;
  EmbedderInfo info_;
  bool normalize_ = true;
  uint32_t batch_tokens_ = kBatchTokensCpu;
  bool packed_ = false;                // several texts in one computation
  std::unique_ptr<EmbedQueue> queue_;  // last: its threads use all above
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

  // A GPU is driven by one thread.
  std::vector<EmbedQueue::Compute> workers(gpu ? 1 : ThreadCount(options.threads));
  for (EmbedQueue::Compute& worker : workers) {
    ASSIGN_OR_RETURN(worker, NewCompute(options));
  }
  EmbedQueue::Compute questions;
  if (!gpu) {
    ASSIGN_OR_RETURN(questions, NewCompute(options));
  }
  EmbedQueue::Options queue;
  queue.dimensions = info_.dimensions;
  queue.batch_tokens = gpu ? kBatchTokensGpu : kBatchTokensCpu;
  queue.batch_texts = kBatchTextsMax;
  queue_ = std::make_unique<EmbedQueue>(queue, std::move(workers), std::move(questions));
  return OkStatus();
}

Result<EmbedQueue::Compute> LlamaEmbedder::Impl::NewCompute(
    const LlamaEmbedderOptions& options) const {
  auto slot = std::make_shared<Slot>();
  ASSIGN_OR_RETURN(slot->context, NewContext(options));
  slot->batch = llama_batch_init(static_cast<int32_t>(batch_tokens_), 0, 1);
  return EmbedQueue::Compute([this, slot](EmbedQueue::Texts texts, float* vectors) {
    return ComputeTexts(slot.get(), texts, vectors);
  });
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

Status LlamaEmbedder::Impl::ComputeTexts(Slot* slot, EmbedQueue::Texts texts,
                                         float* vectors) const {
  if (packed_) return ComputeAtOnce(slot, texts, vectors);
  for (size_t i = 0; i < texts.size(); ++i) {
    RETURN_IF_ERROR(ComputeAtOnce(slot, texts.subspan(i, 1), vectors + i * info_.dimensions));
  }
  return OkStatus();
}

Status LlamaEmbedder::Impl::ComputeAtOnce(Slot* slot, EmbedQueue::Texts texts,
                                          float* vectors) const {
  llama_batch& batch = slot->batch;
  llama_context* context = slot->context.get();
  int32_t n = 0;
  for (size_t sequence = 0; sequence < texts.size(); ++sequence) {
    for (size_t position = 0; position < texts[sequence].size(); ++position, ++n) {
      batch.token[n] = texts[sequence][position];
      batch.pos[n] = static_cast<llama_pos>(position);
      batch.n_seq_id[n] = 1;
      batch.seq_id[n][0] = static_cast<llama_seq_id>(sequence);
      batch.logits[n] = 1;
    }
  }
  batch.n_tokens = n;
  llama_memory_t memory = llama_get_memory(context);
  if (memory != nullptr) llama_memory_clear(memory, false);
  const int32_t code =
      memory != nullptr ? llama_decode(context, batch) : llama_encode(context, batch);
  if (code != 0) {
    return Internal("llama.cpp fails to embed " + std::to_string(n) + " tokens with code " +
                    std::to_string(code) + ": " + TakeErrorLog());
  }
  for (size_t sequence = 0; sequence < texts.size(); ++sequence) {
    const float* values = llama_get_embeddings_seq(context, static_cast<llama_seq_id>(sequence));
    if (values == nullptr) return Internal("llama.cpp returns no embedding for a text");
    float* vector = vectors + sequence * info_.dimensions;
    std::copy_n(values, info_.dimensions, vector);
    RETURN_IF_ERROR(FinishVector({vector, info_.dimensions}, normalize_));
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

#include "llm/llama/session.h"

#include <algorithm>
#include <string>

namespace ragstone::llm {
namespace {

constexpr uint32_t kPieceTokens = 256;
constexpr uint32_t kBatchTokens = 512;
// Room for the sequences that are tried side by side, beyond the longest prompt and answer.
constexpr uint32_t kBranchTokens = 1024;

}  // namespace

Result<std::unique_ptr<Session>> Session::Create(llama_model* model,
                                                 const SessionOptions& options) {
  std::unique_ptr<Session> session(new Session);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.context_tokens + (options.sequences > 1 ? kBranchTokens : 0);
  params.n_batch = params.n_ubatch = kBatchTokens;
  params.n_seq_max = options.sequences;
  params.kv_unified = true;
  params.n_threads = params.n_threads_batch = static_cast<int32_t>(options.threads);
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;
  params.abort_callback = ShouldAbort;
  params.abort_callback_data = session.get();
  session->context_.reset(llama_init_from_model(model, params));
  if (session->context_ == nullptr) {
    return ResourceExhausted(Reason::kMemoryLimit,
                             "the language model cannot be set up with a context of " +
                                 std::to_string(options.context_tokens) +
                                 " tokens: " + TakeErrorLog() + "; choose a smaller context");
  }
  if (llama_get_memory(session->context_.get()) == nullptr) {
    return InvalidArgument(Reason::kModelUnsupported,
                           "this model does not continue text; choose a generator");
  }
  session->batch_ = llama_batch_init(static_cast<int32_t>(kBatchTokens), 0, 1);
  session->batch_max_ = kBatchTokens;
  session->sequences_ = options.sequences;
  session->vocabulary_ = static_cast<uint32_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)));
  session->can_roll_back_ = !llama_model_is_recurrent(model) && !llama_model_is_hybrid(model);
  return session;
}

Session::~Session() {
  if (batch_.token != nullptr) llama_batch_free(batch_);
}

bool Session::ShouldAbort(void* session) {
  const CallContext* running = static_cast<Session*>(session)->running_;
  return running != nullptr && !running->Check().ok();
}

void Session::Forget() {
  llama_memory_clear(llama_get_memory(context_.get()), false);
  prompt_.clear();
}

Result<uint32_t> Session::SetPrompt(std::span<const llama_token> tokens,
                                    const CallContext& context) {
  CHECK(!tokens.empty());
  RETURN_IF_ERROR(context.Check());
  for (uint32_t sequence = 1; sequence < sequences_; ++sequence) {
    Drop(static_cast<llama_seq_id>(sequence));
  }
  llama_memory_t memory = llama_get_memory(context_.get());
  if (can_roll_back_ && !prompt_logits_.empty() &&
      std::equal(tokens.begin(), tokens.end(), prompt_.begin(), prompt_.end()) &&
      llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(tokens.size()), -1)) {
    return static_cast<uint32_t>(tokens.size());  // its logits are still there
  }
  // The last token is always computed, since its logits are wanted.
  size_t same = 0;
  while (same < prompt_.size() && same + 1 < tokens.size() && prompt_[same] == tokens[same]) ++same;
  size_t next = can_roll_back_ ? same / kPieceTokens * kPieceTokens : 0;
  if (next == 0 || !llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(next), -1)) {
    Forget();
    next = 0;
  }
  prompt_.resize(next);
  prompt_logits_.clear();
  const auto reused = static_cast<uint32_t>(next);
  std::vector<SessionToken> piece;
  while (next < tokens.size()) {
    const size_t end = std::min(next / kPieceTokens * kPieceTokens + kPieceTokens, tokens.size());
    piece.clear();
    for (size_t i = next; i < end; ++i) {
      piece.push_back({tokens[i], static_cast<llama_pos>(i), 0, i + 1 == tokens.size()});
    }
    RETURN_IF_ERROR(Decode(piece, context));
    prompt_.insert(prompt_.end(), tokens.begin() + static_cast<std::ptrdiff_t>(next),
                   tokens.begin() + static_cast<std::ptrdiff_t>(end));
    next = end;
  }
  const float* logits = Logits(piece.size() - 1);
  if (logits == nullptr) return Internal("llama.cpp returns no logits for the prompt");
  prompt_logits_.assign(logits, logits + vocabulary_);
  return reused;
}

Status Session::Decode(std::span<const SessionToken> tokens, const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  CHECK(tokens.size() <= batch_max_);
  batch_.n_tokens = static_cast<int32_t>(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    batch_.token[i] = tokens[i].id;
    batch_.pos[i] = tokens[i].position;
    batch_.n_seq_id[i] = 1;
    batch_.seq_id[i][0] = tokens[i].sequence;
    batch_.logits[i] = tokens[i].want_logits ? 1 : 0;
  }
  running_ = &context;
  const int32_t code = llama_decode(context_.get(), batch_);
  running_ = nullptr;
  if (code == 0) return OkStatus();
  Forget();
  RETURN_IF_ERROR(context.Check());
  if (code == 1) {
    return InvalidArgument(Reason::kQueryTooLong, "the model's context has no room for " +
                                                      std::to_string(tokens.size()) +
                                                      " more tokens; shorten the prompt");
  }
  return Internal("llama.cpp fails to compute " + std::to_string(tokens.size()) +
                  " tokens with code " + std::to_string(code) + ": " + TakeErrorLog());
}

const float* Session::Logits(size_t index) const {
  return llama_get_logits_ith(context_.get(), static_cast<int32_t>(index));
}

void Session::Fork(llama_seq_id from, llama_seq_id to) {
  llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, -1, -1);
}

void Session::Drop(llama_seq_id sequence) {
  llama_memory_seq_rm(llama_get_memory(context_.get()), sequence, -1, -1);
}

}  // namespace ragstone::llm

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/llama/runtime.h"

namespace ragstone::llm {

struct SessionOptions {
  uint32_t context_tokens = 0;  // longest prompt and answer together
  uint32_t threads = 1;
  uint32_t sequences = 1;  // that can be continued side by side
  int32_t gpu_layers = 0;
};

// A token to compute, as the `position`th of a sequence; `want_logits` if the next one is asked
// for.
struct SessionToken {
  llama_token id = 0;
  llama_pos position = 0;
  llama_seq_id sequence = 0;
  bool want_logits = false;
};

// A llama.cpp context whose sequence 0 holds a prompt. Not thread-safe.
//
// Prompts are computed in pieces that begin at multiples of a fixed number of tokens, and only
// whole pieces are reused by the next prompt: so every prompt is computed in the same steps
// whatever came before, and equal requests give equal results to the last bit.
class Session {
 public:
  static Result<std::unique_ptr<Session>> Create(llama_model* model, const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Makes sequence 0 hold `tokens`, at least one, at most context_tokens, and no other sequence
  // exist. `prompt_logits()` are then those of the last token. Returns how many were reused.
  // CANCELLED, DEADLINE_EXCEEDED.
  Result<uint32_t> SetPrompt(std::span<const llama_token> tokens, const CallContext& context);
  const std::vector<float>& prompt_logits() const { return prompt_logits_; }

  // Computes up to `batch_max()` tokens. Logits(i) is then of the i-th of them. The tokens are
  // forgotten by the next SetPrompt.
  Status Decode(std::span<const SessionToken> tokens, const CallContext& context);
  const float* Logits(size_t index) const;
  // Makes sequence `to` a copy of `from`; costs nothing.
  void Fork(llama_seq_id from, llama_seq_id to);
  void Drop(llama_seq_id sequence);
  // Drops everything: the next prompt is computed whole.
  void Forget();

  uint32_t vocabulary() const { return vocabulary_; }
  uint32_t batch_max() const { return batch_max_; }

 private:
  Session() = default;
  static bool ShouldAbort(void* session);

  ContextPtr context_;
  llama_batch batch_{};
  uint32_t vocabulary_ = 0;
  uint32_t batch_max_ = 0;
  uint32_t sequences_ = 1;
  bool can_roll_back_ = true;
  std::vector<llama_token> prompt_;  // what sequence 0 holds
  std::vector<float> prompt_logits_;
  const CallContext* running_ = nullptr;  // of the call that computes
};

}  // namespace ragstone::llm

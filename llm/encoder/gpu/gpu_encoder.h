#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "llm/encoder/bert_model.h"
#include "llm/encoder/gpu/gpu.h"

namespace ragstone::llm::gpu {

// The largest batch.
struct SlotLimits {
  uint32_t tokens = 0;
  uint32_t texts = 0;
};

// Computes the vectors of texts on a GPU. Texts lie one after the other without padding; the work
// of a batch is queued for a bucket of sizes at least as large and recorded as a graph, so that the
// host starts it with one call. Immutable; every thread brings a Slot. Must outlive its slots.
class GpuEncoder {
 public:
  // A queue of the GPU with the buffers of one batch at a time: the host packs and unpacks one
  // slot's batch while the GPU computes another's. For one thread at a time.
  class Slot {
   private:
    friend class GpuEncoder;
    struct Input;
    using Key = std::pair<uint32_t, uint32_t>;  // of a bucket

    SlotLimits limits_;
    size_t input_bytes_ = 0;
    std::shared_ptr<void> host_input_, host_vectors_;
    // On the device: the batch as Input lays it out, the residual stream, queries with keys and
    // values, what attention gives and products add, the inner rows of the feed-forward part.
    std::shared_ptr<void> input_, x_, qkv_, context_, inner_, vectors_;
    std::unique_ptr<Queue> queue_;                  // before the graphs: they go first
    std::map<Key, std::unique_ptr<Graph>> graphs_;  // null: the bucket has been run once
  };

  // Copies the weights to the GPU. INVALID_ARGUMENT (MODEL_CORRUPT) for weights that are no numbers
  // or too large for the GPU's type; RESOURCE_EXHAUSTED if they do not fit.
  static Result<std::unique_ptr<GpuEncoder>> Create(std::shared_ptr<const BertModel> model,
                                                    Gpu* gpu, bool normalize);

  const BertConfig& config() const { return config_; }

  Result<std::unique_ptr<Slot>> NewSlot(const SlotLimits& limits, Priority priority) const;

  // Writes texts.size() × hidden floats. Every text has 1 to `config.positions` ids below the
  // vocabulary's size; the slot's limits hold. Errors are the device's.
  Status Encode(std::span<const std::span<const int32_t>> texts, Slot* slot, float* vectors) const;

 private:
  struct Linear {
    const void* weight = nullptr;
    const float* bias = nullptr;
  };
  struct Layer {
    Linear qkv, attention_output, up, down;
    const void* qkv_bias = nullptr;  // of the GPU's type
    Norm attention_norm, output_norm;
  };

  GpuEncoder(const BertConfig& config, Gpu* gpu, bool normalize)
      : config_(config), gpu_(gpu), normalize_(normalize) {}
  Status Enqueue(const Bucket& bucket, Slot* slot) const;
  Status EnqueueLayer(const Layer& layer, const Bucket& bucket, Slot* slot) const;
  Status Run(const Bucket& bucket, Slot* slot) const;
  Status Compute(const Bucket& bucket, size_t vector_bytes, Slot* slot) const;

  const BertConfig config_;
  Gpu* const gpu_;
  const bool normalize_;
  std::vector<std::shared_ptr<void>> memory_;  // of all weights
  const void* tokens_ = nullptr;
  const float* positions_ = nullptr;
  Norm embeddings_norm_;
  std::vector<Layer> layers_;
};

}  // namespace ragstone::llm::gpu

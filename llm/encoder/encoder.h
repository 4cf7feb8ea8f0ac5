#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "llm/encoder/bert_model.h"
#include "llm/encoder/kernels.h"
#include "llm/encoder/packed_model.h"
#include "llm/encoder/packed_weights.h"

namespace ragstone::llm {

// Computes the vectors of texts with one set of kernels, on the thread that calls. Immutable and
// thread-safe; every thread brings a Workspace.
//
// Texts lie one after the other without padding. A product is computed for a block of rows at a
// time, and from the attention's output to the next layer's input a block goes through all
// products before the next one begins, so that its activations stay in the core's cache.
class Encoder {
 public:
  // The buffers of one thread.
  class Workspace {
   public:
    // For up to `tokens_max` tokens at once.
    Workspace(const Encoder& encoder, size_t tokens_max);

   private:
    friend class Encoder;
    size_t tokens_max_ = 0;
    AlignedBuffer x_;            // tokens × hidden floats: the residual stream
    AlignedBuffer input_;        // tokens × hidden: x as input of a product
    AlignedBuffer qkv_;          // tokens × 3·hidden values
    AlignedBuffer context_;      // tokens × hidden values: what attention gives
    AlignedBuffer inner_;        // block × intermediate values
    AlignedBuffer inner_input_;  // block × intermediate, int8
    AlignedBuffer scales_;       // one for each row of an int8 input
    AlignedBuffer attention_;
  };

  // Packs the weights of the layers, or finds them packed in `packed_dir` (packed_model.h);
  // embeddings stay in the mapped file.
  Encoder(std::shared_ptr<const BertModel> model, const Kernels& kernels,
          const std::filesystem::path& packed_dir = {});

  // INVALID_ARGUMENT (MODEL_CORRUPT) if the layers have weights that are no numbers.
  const Status& Check() const { return packed_.status(); }

  const BertModel& model() const { return *model_; }
  const Kernels& kernels() const { return kernels_; }

  // Writes texts.size() × hidden floats, pooled and not normalised. Every text has 1 to
  // `config.positions` ids below the vocabulary's size; together they have at most the workspace's
  // tokens_max. A text gives the same bits whatever it is encoded with.
  void Encode(std::span<const std::span<const int32_t>> texts, Workspace* workspace,
              float* vectors) const;

 private:
  void Embed(std::span<const std::span<const int32_t>> texts, Workspace* workspace) const;
  void Attend(std::span<const std::span<const int32_t>> texts, Workspace* workspace) const;
  void Qkv(size_t layer, size_t tokens, Workspace* workspace) const;
  void Block(size_t layer, size_t first, size_t count, Workspace* workspace) const;
  void Normalize(const BertNorm& norm, size_t first, size_t count, Workspace* workspace) const;
  void Pool(std::span<const std::span<const int32_t>> texts, const float* x, float* vectors) const;

  const std::shared_ptr<const BertModel> model_;
  const Kernels& kernels_;
  PackedModel packed_;
  size_t value_bytes_ = 4;
  size_t input_bytes_ = 4;
};

}  // namespace ragstone::llm

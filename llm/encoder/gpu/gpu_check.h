#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "llm/embed_queue.h"
#include "llm/encoder/bert_model.h"
#include "llm/encoder/gpu/gpu_encoder.h"
#include "llm/encoder/kernels.h"

namespace ragstone::llm::gpu {

// Texts of made-up ids and what the CPU computes for them. A GPU is compared with it before its
// vectors are stored: so drivers, cards and compilers that we have not seen are found out.
class CpuReference {
 public:
  CpuReference(std::shared_ptr<const BertModel> model, const Kernels& kernels, uint32_t tokens_max);

  // Compares what `compute` gives for the texts, repeated to a full batch of these limits; three
  // times, because a batch takes another way each time: queued, recorded, replayed. UNAVAILABLE
  // (WORKER_UNAVAILABLE) if a cosine is below 0.999 or no number, or the error of `compute`.
  Status Compare(const EmbedQueue::Compute& compute, const SlotLimits& limits) const;

 private:
  std::vector<std::vector<int32_t>> texts_;
  std::vector<std::vector<float>> vectors_;
};

}  // namespace ragstone::llm::gpu

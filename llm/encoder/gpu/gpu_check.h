#pragma once

#include <memory>

#include "base/status.h"
#include "llm/embedder.h"
#include "llm/encoder/bert_model.h"
#include "llm/encoder/kernels.h"

namespace ragstone::llm::gpu {

// Compares what an embedder gives for a few texts of made-up ids with what the CPU computes for
// them: drivers, cards and compilers that we have not seen are found out before their vectors are
// stored. UNAVAILABLE (WORKER_UNAVAILABLE) with the least cosine if it is below 0.999, or the
// embedder's error.
Status CompareWithCpu(Embedder* embedder, std::shared_ptr<const BertModel> model,
                      const Kernels& kernels);

}  // namespace ragstone::llm::gpu

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"

namespace ragstone::llm {

struct EmbedderInfo {
  uint32_t dimensions = 0;
  uint32_t tokens_max = 0;  // special tokens included
  uint32_t vocabulary = 0;
  std::string device;
};

// Turns token ids into vectors. Thread-safe.
class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual Result<EmbedderInfo> Info(const CallContext& context) = 0;
  // Returns texts.size() × dimensions floats. INVALID_ARGUMENT if a text is empty, too long or has
  // an id outside the vocabulary.
  virtual Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                           const CallContext& context) = 0;
};

}  // namespace ragstone::llm

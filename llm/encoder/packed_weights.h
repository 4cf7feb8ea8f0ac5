#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "llm/encoder/bert_model.h"
#include "llm/encoder/kernels.h"

namespace ragstone::llm {

// Memory that begins at a multiple of 64 bytes, zeroed.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);
  char* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(char* memory) const { ::operator delete[](memory, std::align_val_t(64)); }
  };
  std::unique_ptr<char[], Free> data_;
};

// A linear layer in one piece of memory: panels, biases and, for int8, scales and offsets, each at
// a multiple of 64 bytes. Files keep this layout: what changes it, or a value that Pack writes,
// raises kPackedVersion (packed_model.h).

// How many bytes a layer takes, a multiple of 64.
size_t PackedBytes(size_t outputs, size_t inputs, const Kernels& kernels);

// The layer in this memory, which is aligned to 64 bytes.
PackedLinear PackedAt(const char* memory, size_t outputs, size_t inputs, const Kernels& kernels);

// Packs the parts' outputs one after the other, as if they were one layer, into zeroed memory. All
// parts have the same inputs; the number of all outputs is a multiple of kHiddenStep. Returns
// whether all weights are numbers; else the vectors would be plausible nonsense.
bool Pack(const std::vector<const BertLinear*>& parts, const Kernels& kernels, char* memory);

// A single layer, in memory of its own. Immutable.
class PackedWeights {
 public:
  PackedWeights(const std::vector<const BertLinear*>& parts, const Kernels& kernels);
  const PackedLinear& linear() const { return linear_; }

 private:
  AlignedBuffer memory_;
  PackedLinear linear_;
};

}  // namespace ragstone::llm

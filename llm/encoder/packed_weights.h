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

// A linear layer in the layout of one set of kernels; see PackedLinear. Immutable.
class PackedWeights {
 public:
  // The layers' outputs one after the other, as if they were one layer; all have the same inputs.
  // Their number is a multiple of kHiddenStep.
  PackedWeights(const std::vector<const BertLinear*>& parts, const Kernels& kernels);

  const PackedLinear& linear() const { return linear_; }
  // Whether all weights are numbers; else the vectors would be plausible nonsense.
  bool finite() const { return finite_; }

 private:
  PackedLinear linear_;
  bool finite_ = true;
  AlignedBuffer panels_;
  std::vector<float> bias_, scales_;
  std::vector<int32_t> offsets_;
};

}  // namespace ragstone::llm

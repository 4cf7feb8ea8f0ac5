#include "llm/encoder/packed_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "llm/float16.h"

namespace ragstone::llm {
namespace {

size_t BytesOf(ProductType type) {
  switch (type) {
    case ProductType::kF32:
      return 4;
    case ProductType::kBf16:
      return 2;
    case ProductType::kInt8:
      return 1;
  }
  return 0;
}

// Where the pieces of a layer begin.
struct Pieces {
  Pieces(size_t outputs, size_t inputs, ProductType product) {
    const size_t scaled = product == ProductType::kInt8 ? outputs * sizeof(float) : 0;
    bias = RoundUp(outputs * inputs * BytesOf(product));
    scales = bias + RoundUp(outputs * sizeof(float));
    offsets = scales + RoundUp(scaled);
    end = offsets + RoundUp(scaled);
  }
  static size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

  size_t bias = 0, scales = 0, offsets = 0, end = 0;
};

// One output's weights, of which only the groups of inputs lie side by side.
class OutputPacker {
 public:
  OutputPacker(size_t outputs, size_t inputs, const Kernels& kernels, char* memory)
      : kernels_(kernels), inputs_(inputs), memory_(memory) {
    pieces_ = Pieces(outputs, inputs, kernels.product);
  }

  void Put(size_t output, const std::vector<float>& row, float bias) const {
    const size_t bytes = BytesOf(kernels_.product);
    const size_t group = 4 / bytes;
    const size_t columns = kernels_.panel_columns;
    char* to = memory_ + (output / columns * columns * inputs_ + output % columns * group) * bytes;
    const size_t step = columns * group * bytes;
    std::memcpy(memory_ + pieces_.bias + 4 * output, &bias, 4);
    if (kernels_.product == ProductType::kF32) {
      for (size_t k = 0; k < row.size(); ++k) std::memcpy(to + k * step, &row[k], 4);
    } else if (kernels_.product == ProductType::kBf16) {
      for (size_t k = 0; k < row.size(); ++k) {
        const uint16_t bits = ToBfloat16(row[k]);
        std::memcpy(to + k / 2 * step + k % 2 * 2, &bits, 2);
      }
    } else {
      PutInt8(output, row, to, step);
    }
  }

 private:
  void PutInt8(size_t output, const std::vector<float>& row, char* to, size_t step) const {
    float top = 0;
    for (const float value : row) top = std::max(top, std::abs(value));
    const float scale = top > 0 ? top / 127 : 1;
    int32_t sum = 0;
    for (size_t k = 0; k < row.size(); ++k) {
      const auto rounded = static_cast<int8_t>(std::lrint(row[k] / scale));
      sum += rounded;
      std::memcpy(to + k / 4 * step + k % 4, &rounded, 1);
    }
    sum *= 128;
    std::memcpy(memory_ + pieces_.scales + 4 * output, &scale, 4);
    std::memcpy(memory_ + pieces_.offsets + 4 * output, &sum, 4);
  }

  const Kernels& kernels_;
  size_t inputs_ = 0;
  char* memory_ = nullptr;
  Pieces pieces_{0, 0, ProductType::kF32};
};

size_t OutputsOf(const std::vector<const BertLinear*>& parts) {
  size_t outputs = 0;
  for (const BertLinear* part : parts) {
    CHECK(part->weight.columns == parts.front()->weight.columns);
    CHECK(part->bias.size() == part->weight.rows);
    outputs += part->weight.rows;
  }
  return outputs;
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes)
    : data_(static_cast<char*>(::operator new[](bytes, std::align_val_t(64)))) {
  std::memset(data_.get(), 0, bytes);
}

size_t PackedBytes(size_t outputs, size_t inputs, const Kernels& kernels) {
  return Pieces(outputs, inputs, kernels.product).end;
}

PackedLinear PackedAt(const char* memory, size_t outputs, size_t inputs, const Kernels& kernels) {
  CHECK(outputs % kernels.panel_columns == 0 && reinterpret_cast<uintptr_t>(memory) % 64 == 0);
  const Pieces pieces(outputs, inputs, kernels.product);
  PackedLinear linear;
  linear.outputs = outputs;
  linear.inputs = inputs;
  linear.panels = memory;
  linear.bias = reinterpret_cast<const float*>(memory + pieces.bias);
  if (kernels.product == ProductType::kInt8) {
    linear.scales = reinterpret_cast<const float*>(memory + pieces.scales);
    linear.offsets = reinterpret_cast<const int32_t*>(memory + pieces.offsets);
  }
  return linear;
}

bool Pack(const std::vector<const BertLinear*>& parts, const Kernels& kernels, char* memory) {
  const size_t inputs = parts.front()->weight.columns;
  const OutputPacker packer(OutputsOf(parts), inputs, kernels, memory);
  std::vector<float> row(inputs);
  bool finite = true;
  size_t output = 0;
  for (const BertLinear* part : parts) {
    for (uint32_t r = 0; r < part->weight.rows; ++r, ++output) {
      part->weight.ReadRow(r, row.data());
      for (float& value : row) {
        if (std::isfinite(value)) continue;
        finite = false;
        value = 0;
      }
      packer.Put(output, row, part->bias[r]);
    }
  }
  return finite;
}

PackedWeights::PackedWeights(const std::vector<const BertLinear*>& parts, const Kernels& kernels)
    : memory_(PackedBytes(OutputsOf(parts), parts.front()->weight.columns, kernels)) {
  Pack(parts, kernels, memory_.data());
  linear_ = PackedAt(memory_.data(), OutputsOf(parts), parts.front()->weight.columns, kernels);
}

}  // namespace ragstone::llm

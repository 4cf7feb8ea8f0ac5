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

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes)
    : data_(static_cast<char*>(::operator new[](bytes, std::align_val_t(64)))) {
  std::memset(data_.get(), 0, bytes);
}

PackedWeights::PackedWeights(const std::vector<const BertLinear*>& parts, const Kernels& kernels) {
  linear_.inputs = parts.front()->weight.columns;
  for (const BertLinear* part : parts) {
    CHECK(part->weight.columns == linear_.inputs);
    linear_.outputs += part->weight.rows;
    bias_.insert(bias_.end(), part->bias.begin(), part->bias.end());
  }
  const size_t columns = kernels.panel_columns;
  CHECK(linear_.outputs % columns == 0 && bias_.size() == linear_.outputs);
  const size_t bytes = BytesOf(kernels.product);
  const size_t group = 4 / bytes;
  panels_ = AlignedBuffer(linear_.outputs * linear_.inputs * bytes);
  std::vector<float> row(linear_.inputs);
  size_t output = 0;
  for (const BertLinear* part : parts) {
    for (uint32_t r = 0; r < part->weight.rows; ++r, ++output) {
      part->weight.ReadRow(r, row.data());
      for (float& value : row) {
        if (std::isfinite(value)) continue;
        finite_ = false;
        value = 0;
      }
      // Where the output's first weight lies, and how far its groups are apart.
      char* to = panels_.data() +
                 (output / columns * columns * linear_.inputs + output % columns * group) * bytes;
      const size_t step = columns * group * bytes;
      if (kernels.product == ProductType::kF32) {
        for (size_t k = 0; k < row.size(); ++k) std::memcpy(to + k * step, &row[k], 4);
      } else if (kernels.product == ProductType::kBf16) {
        for (size_t k = 0; k < row.size(); ++k) {
          const uint16_t bits = ToBfloat16(row[k]);
          std::memcpy(to + k / 2 * step + k % 2 * 2, &bits, 2);
        }
      } else {
        float top = 0;
        for (const float value : row) top = std::max(top, std::abs(value));
        const float scale = top > 0 ? top / 127 : 1;
        int32_t sum = 0;
        for (size_t k = 0; k < row.size(); ++k) {
          const auto rounded = static_cast<int8_t>(std::lrint(row[k] / scale));
          sum += rounded;
          std::memcpy(to + k / 4 * step + k % 4, &rounded, 1);
        }
        scales_.push_back(scale);
        offsets_.push_back(128 * sum);
      }
    }
  }
  linear_.panels = panels_.data();
  linear_.bias = bias_.data();
  if (!scales_.empty()) {
    linear_.scales = scales_.data();
    linear_.offsets = offsets_.data();
  }
}

}  // namespace ragstone::llm

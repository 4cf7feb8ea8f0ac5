#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// A tensor of a safetensors file: row-major, little-endian.
struct SafeTensor {
  std::string type;  // "F32", "F16", "BF16", "I64", ...
  std::vector<uint64_t> shape;
  std::string_view bytes;  // within the parsed file
};

using SafeTensors = std::map<std::string, SafeTensor>;

// Finds the tensors in the bytes of a safetensors file, which must outlive the result. Every
// offset, size and shape is checked; the file may be anything. INVALID_ARGUMENT (MODEL_CORRUPT)
// says what is wrong. At most 64 MiB of header and 65536 tensors.
Result<SafeTensors> ParseSafetensors(std::string_view file);

// Returns the values of an F32, F16 or BF16 tensor; INVALID_ARGUMENT (MODEL_UNSUPPORTED) for
// others.
Result<std::vector<float>> TensorToFloats(const SafeTensor& tensor);

}  // namespace ragstone::llm

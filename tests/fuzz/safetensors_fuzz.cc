// Any bytes as a safetensors file; every tensor that is found is read.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "llm/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensors = ragstone::llm::ParseSafetensors({reinterpret_cast<const char*>(data), size});
  if (!tensors.ok()) return 0;
  for (const auto& [name, tensor] : *tensors) {
    static_cast<void>(ragstone::llm::TensorToFloats(tensor).ok());
  }
  return 0;
}

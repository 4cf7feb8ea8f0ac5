// Any bytes as a GGUF file.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "llm/gguf_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto facts = ragstone::llm::ParseGguf({reinterpret_cast<const char*>(data), size});
  static_cast<void>(facts.ok());
  return 0;
}

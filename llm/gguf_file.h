#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ragstone::llm {

// What the header of a GGUF file says.
struct GgufFacts {
  uint32_t version = 0;
  uint64_t tensors = 0;
  uint64_t parameters = 0;
  std::string architecture;
  std::map<std::string, std::string> texts;  // string values of at most 4096 bytes, by key
};

// Reads the header in the bytes of a GGUF file and checks it before llama.cpp, whose reader asserts
// on some wrong files, sees it: magic, version, counts, types, lengths, and that every tensor lies
// inside the file. The file may be anything. INVALID_ARGUMENT (MODEL_CORRUPT, or MODEL_UNSUPPORTED
// for a version or byte order that is not read) says what is wrong and where.
Result<GgufFacts> ParseGguf(std::string_view file);

}  // namespace ragstone::llm

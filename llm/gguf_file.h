#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// Numbers that stand for the types of tensors in GGUF files.
inline constexpr uint32_t kGgufF32 = 0;
inline constexpr uint32_t kGgufF16 = 1;
inline constexpr uint32_t kGgufBf16 = 30;

struct GgufTensor {
  std::string name;
  uint32_t type = 0;
  std::array<uint64_t, 4> sizes = {1, 1, 1, 1};  // the first is that of a row; unused ones are 1
  std::string_view bytes;  // within the parsed file; empty for types not known here
};

// What the header of a GGUF file says.
struct GgufFacts {
  uint32_t version = 0;
  uint64_t tensors = 0;
  uint64_t parameters = 0;
  std::string architecture;
  std::map<std::string, std::string> texts;  // string values of at most 4096 bytes, by key
  std::map<std::string, double> numbers;     // integers, floats, and flags as 0 or 1, by key
  std::vector<GgufTensor> tensor_table;      // in the order of the file
};

// Reads the header in the bytes of a GGUF file, which must outlive the table of tensors, and checks
// it before llama.cpp, whose reader asserts on some wrong files, sees it: magic, version, counts,
// types, lengths, and that every tensor lies inside the file. The file may be anything.
// INVALID_ARGUMENT (MODEL_CORRUPT, or MODEL_UNSUPPORTED for a version or byte order that is not
// read) says what is wrong and where.
Result<GgufFacts> ParseGguf(std::string_view file);

}  // namespace ragstone::llm

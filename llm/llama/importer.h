#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"

namespace ragstone::llm {

struct ImportOptions {
  std::filesystem::path source;      // GGUF file or sentence-transformers folder
  std::filesystem::path output_dir;  // exists; `model.gguf` and `tokenizer.json` are written here
  bool retype = true;
  bool int8 = false;     // the model is to be computed in products of 8 bits: checked
  uint32_t threads = 0;  // 0: one for each core
};

struct ImportResult {
  std::string kind;  // "embedding" or "generator"
  std::string architecture;
  std::string storage_type;
  uint32_t dimensions = 0;
  uint32_t context_tokens = 0;  // longest input; the sentence-transformers limit if there is one
  uint64_t parameters = 0;
  std::string pooling;
  bool normalize = false;
  std::string license;
  std::vector<std::string> measurements;
};

using ImportProgress = std::function<Status(const std::string&)>;

// Makes an installable model out of foreign files; see ragstone.worker.v1.Importer. Runs in a
// worker process of its own: a file that llama.cpp aborts on costs only the import.
Result<ImportResult> ImportModel(const ImportOptions& options, const ImportProgress& progress,
                                 const CallContext& context);

}  // namespace ragstone::llm
